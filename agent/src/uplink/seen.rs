//! What the uplink sees of the hub, for whoever watches over it.

use tokio::sync::watch;

/// What has been seen of the hub so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The agent is connected to the broker, and the hub's last word there is that it is online.
    pub online: bool,
    /// How many acknowledgements have come.
    pub acks: u64,
}

/// Where the uplink notes it.
#[derive(Debug, Default)]
pub(super) struct Notes(watch::Sender<Seen>);

impl Notes {
    pub(super) fn watch(&self) -> watch::Receiver<Seen> {
        self.0.subscribe()
    }

    /// The hub says whether it is online, or there is nobody who could say it.
    pub(super) fn online(&self, online: bool) {
        self.0.send_if_modified(|seen| std::mem::replace(&mut seen.online, online) != online);
    }

    pub(super) fn acknowledged(&self) {
        self.0.send_modify(|seen| seen.acks += 1);
    }
}
