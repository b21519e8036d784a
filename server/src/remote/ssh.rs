//! How TestArena runs commands on a remote test server over SSH.
//! Placeholder.
