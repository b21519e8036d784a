//! The bare axum handler that the server's answers are measured against: 2 KiB out of memory, nothing asked.
//! `cargo run --release -p bench --bin bare -- 127.0.0.1:4000`

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let body = Bytes::from(vec![b'x'; 2_048]);
    let app = Router::new().route("/", get(move || std::future::ready(body.clone())));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("bare handler at {}", listener.local_addr()?);
    axum::serve(listener, app).await
}
