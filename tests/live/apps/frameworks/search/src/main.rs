// A server of the standard library alone, since crates.io may be out of reach: it stands in for Axum.
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

fn main() {
    let address = format!("{}:{}", std::env::var("HOST").unwrap(), std::env::var("PORT").unwrap());
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
            let body = format!("search answers {}", line.split(' ').nth(1).unwrap_or("?"));
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        });
    }
}
