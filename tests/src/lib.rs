//! The harness of the system tests: the product's own programs and the real things around them, each started as a
//! child process on loopback and ended with the test.
//!
//! Owns: starting, stopping, killing and asking. Must not know: how the hub or the agent work inside; tests see what a
//! customer sees (processes, files, MQTT, HTTP, pages). The one exception is [`simulation`], which runs the cores of both in a
//! world of its own.
//!
//! Every wait is for a condition and has a deadline. Everything that a child process says is kept, and told when it
//! ends: the test runner shows it for tests that fail.

pub mod agent;
pub mod broker;
pub mod browser;
pub mod clock;
pub mod crowd;
pub mod database;
pub mod delivery;
pub mod disk;
pub mod failing_disk;
pub mod hub;
pub mod limit;
pub mod load;
pub mod mail;
pub mod modbus;
pub mod mqtt;
pub mod netns;
pub mod people;
pub mod pjlink;
pub mod postgres;
pub mod process;
pub mod program;
pub mod proxy;
pub mod receiver;
pub mod reports;
pub mod sender;
pub mod serial;
pub mod simulation;
pub mod spool;
pub mod stored;
pub mod wait;
pub mod wall;
