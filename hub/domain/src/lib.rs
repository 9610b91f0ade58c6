//! The service standards as pure functions: verdicts, rules, alerts and tickets.
//!
//! Owns: what is a fault, for how long it must last, whom it concerns, which ticket it opens, and how a ticket moves. Must not know:
//! any clock, database, network, web page or async runtime. Time is an argument, identity is derived from content, so every
//! decision can be replayed.

pub mod access;
pub mod agent;
pub mod alert;
pub mod area;
pub mod calendar;
mod changes;
pub mod check;
pub mod compliance;
pub mod condition;
pub mod delivery;
pub mod device;
mod doubt;
pub mod escalation;
pub mod flaps;
pub mod forecast;
pub mod form;
pub mod incidents;
pub mod inhibit;
pub mod kind;
pub mod label;
pub mod late;
pub mod ledger;
pub mod maintenance;
pub mod matchers;
pub mod notice;
pub mod overlay;
pub mod pack;
pub mod past;
pub mod purchase;
pub mod ranges;
pub mod register;
pub mod report;
pub mod restraint;
pub mod roster;
pub mod rule;
pub mod said;
pub mod service_hours;
pub mod site;
pub mod sla;
pub mod statement;
pub mod stock;
pub mod ticket;
pub mod time;
pub mod trace;
pub mod watch;
pub mod work;
