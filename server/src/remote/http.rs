//! How TestArena calls the HTTP API of a remote test server.
//! Placeholder.
