//! The whole system as customers run it: both programs, real brokers, databases, equipment and a browser.
//!
//! One module per promise. A test that needs something that is not installed says so and passes, except where `CI` is
//! set; `tests/run` installs everything.

mod brokers_and_databases;
mod complaints;
mod equipment;
mod foreign_agent;
mod kills;
mod own_troubles;
mod pages;
mod real_equipment;
mod unattended;
