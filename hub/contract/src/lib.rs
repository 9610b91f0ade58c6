//! What travels on MQTT between agents and the hub (version 1).
//!
//! Owns: topic names, message payloads, their limits, and the golden files in `fixtures/v1/`, against which
//! both sides (and agents written by others) are tested. Must not know: MQTT clients, devices' protocols, rules,
//! storage.
//!
//! Topics are `lobby/v1/{site}/{agent}/{kind}`; payloads are UTF-8 JSON of at most [`MAX_PAYLOAD`] bytes, sent with
//! QoS 1 and not retained, except the hub's own state on [`HUB_TOPIC`]. Times are milliseconds since 1970 UTC.
//! Unknown fields are ignored; within version 1 no field is ever removed or retyped.
//!
//! **Delivery.** A broker's PUBACK is not delivery. An agent numbers its records (`seq`, from 1 in each `epoch`), keeps
//! them on disk, and deletes only what the hub's [`Ack`] covers; the hub acknowledges only after its database commit.
//! A record is unique by `(site, agent, epoch, seq)`, so sending it again does no harm.

mod fact;
mod message;
mod name;
mod topic;

pub use fact::FactValue;
pub use message::{
    Ack, AgentInfo, Birth, Command, CommandResult, Data, Death, DeathReason, DecodeError, DeviceInfo, FromAgent,
    HubState, Lost, MAX_PAYLOAD, Order, Reach, Record, RefusedDevice, RefusedRecord, ToAgent, encode,
};
pub use name::{AgentId, DeviceId, NameError, SiteId};
pub use topic::{Channel, HUB_TOPIC, Topic, TopicError};
