//! What people decide about devices and alerts. It goes the way of what agents report: through the one task that changes the live state, into the
//! same transaction, and is answered after the commit.

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::{AlertId, ClearRefusal, Subject},
    device::Life,
    site::{Changes, LifeError, Site},
    time::Timestamp,
};
use tokio::sync::{mpsc, oneshot};

use crate::audit::{Actor, Change};

/// Decisions that may wait for ingest.
const QUEUE: usize = 64;

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A device goes to another stage of its life.
    Life {
        /// The device.
        device: DeviceId,
        /// The stage.
        life: Life,
    },
    /// The fault of an open alert is gone.
    Clear {
        /// The alert.
        alert: AlertId,
        /// What the alert is about.
        subject: Subject,
        /// Its rule.
        rule: String,
        /// Who says so.
        by: String,
    },
}

/// Why a decision did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecisionError {
    /// There is no such site.
    #[error("there is no such site")]
    NoSite,
    /// The device's life does not allow it.
    #[error(transparent)]
    Life(#[from] LifeError),
    /// What is reported does not allow it.
    #[error(transparent)]
    Clear(#[from] ClearRefusal),
    /// The hub is stopping.
    #[error("the hub is stopping: try again later")]
    Stopping,
}

/// Where decisions are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::Sender<Asked>);

/// A decision on its way.
#[derive(Debug)]
pub struct Asked {
    pub(super) site: SiteId,
    pub(super) decision: Decision,
    pub(super) actor: Actor,
    pub(super) reply: oneshot::Sender<Result<(), DecisionError>>,
}

impl Desk {
    /// A desk, and where its decisions come out.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, asked) = mpsc::channel(QUEUE);
        (Self(sender), asked)
    }

    /// Lets a decision happen. When this returns without an error it is in the database.
    pub async fn decide(&self, site: SiteId, decision: Decision, actor: Actor) -> Result<(), DecisionError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Asked { site, decision, actor, reply }).await.map_err(|_| DecisionError::Stopping)?;
        answer.await.map_err(|_| DecisionError::Stopping)?
    }
}

impl Decision {
    /// Returns what is to be told of it, if it changes anything.
    pub(super) fn apply(
        self,
        site: &mut Site,
        actor: &Actor,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Option<Change>, DecisionError> {
        let told = |action, subject| Change::new(actor, now, action, subject);
        match self {
            Self::Life { device, life } => {
                let before = site.device(&device).map(|device| device.life);
                site.set_life(&device, life, now, changes)?;
                let before = before.filter(|before| *before != life);
                let of = |before: Life| told("device.life", device.to_string()).before(before.as_str());
                Ok(before.map(|before| of(before).of_site(Some(&site.id)).after(life.as_str())))
            }
            Self::Clear { alert, subject, rule, by } => {
                site.clear_by_hand(&subject, &rule, &by, now, changes)?;
                Ok(Some(told("alert.clear", alert.to_string()).of_site(Some(&site.id))))
            }
        }
    }
}
