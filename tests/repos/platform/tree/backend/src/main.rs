use actix_web::{web, App, HttpResponse, HttpServer};

async fn health() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let host = std::env::var("HOST").unwrap_or_else(|_| "0.0.0.0".to_string());
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(2000);
    let _database = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let _redis = std::env::var("REDIS_URL").expect("REDIS_URL");
    let _secret = std::env::var("JWT_SECRET").expect("JWT_SECRET");
    HttpServer::new(|| App::new().route("/health", web::get().to(health)))
        .bind((host, port))?
        .run()
        .await
}
