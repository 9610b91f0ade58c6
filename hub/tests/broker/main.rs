//! The MQTT side of the hub against real clients on real sockets: who may do what, what abuse costs, and what an external broker
//! may do to it.

#![expect(clippy::unwrap_used, reason = "in a test, whatever cannot be set up is a failure")]

mod abuse;
mod access;
mod external;
mod session;
mod support;
mod transports;
