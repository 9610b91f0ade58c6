//! The whole system as customers run it: both programs, real brokers, databases, equipment and a browser.
//!
//! One module per promise. A test that needs something that is not installed says so and passes, except where `CI` is
//! set; `tests/run` installs everything.

mod accounts;
mod backlog;
mod backups;
mod bad_network;
mod brokers_and_databases;
mod brokers_killed;
mod chain;
mod complaints;
mod compliance;
mod damages;
mod equipment;
mod failpoints;
mod foreign_agent;
mod hub_kills;
mod interop;
mod kills;
mod mentions;
mod month;
mod noise;
mod notifications;
mod own_troubles;
mod pages;
mod partition;
mod personal;
mod power_cut;
mod pressure;
mod printing;
mod real_equipment;
mod register;
mod register_english;
mod reports;
mod roles;
mod roster;
mod round_photos;
mod rounds;
mod stock;
mod tokens;
mod unattended;
mod upgrade;
mod watchdog;
