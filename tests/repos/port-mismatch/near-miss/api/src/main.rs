fn main() {
    // listens on 3000 in the tutorial
    let port = std::env::var("PORT").unwrap_or("9000".into());
}
