//! An address that stays a test's own while nobody listens there: before a server's start, between its end and the next
//! start, or all the time.

use std::net::SocketAddr;
use tokio::net::TcpSocket;

/// Bound and never listened at. The system gives its port to nobody who asks for any, and refuses who connects;
/// a server that asks for this very port gets in beside it, as it does after a restart.
pub struct HeldAddress(TcpSocket);

impl HeldAddress {
    pub fn take() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Both sides have to set it, and every server does.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self(socket)
    }

    pub fn get(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}
