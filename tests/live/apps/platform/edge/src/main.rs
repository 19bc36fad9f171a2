// A server of the standard library alone, since crates.io may be out of reach: it stands in for Actix.
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn main() {
    let address = format!(
        "{}:{}",
        std::env::var("HOST").unwrap(),
        std::env::var("PORT").unwrap()
    );
    let redis = std::env::var("REDIS_URL").unwrap().starts_with("redis://:");
    for stream in TcpListener::bind(address).unwrap().incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let mut header = String::new();
            while reader.read_line(&mut header).unwrap() > 2 {
                header.clear();
            }
            let body = format!(
                "edge answers {} redis={redis}",
                line.split(' ').nth(1).unwrap_or("?")
            );
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        });
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_port_is_that_of_the_settings() {
        assert_eq!(std::env::var("EDGE_PORT").unwrap(), "9100");
    }
}
