//! The publish hook: an agent's message goes to ingest before its PUBACK, in the task of its own connection, so that reading runs
//! on all cores and a full queue holds up only those who add to it.

use std::{future::Future, pin::Pin, sync::Arc};

use mqtt5::broker::events::{BrokerEventHandler, ClientPublishEvent, PublishAction};

use crate::mqtt::{inlet::Inlet, refusal::Refusal};

/// Takes what agents publish.
pub(super) struct Hook(pub(super) Arc<Inlet>);

impl BrokerEventHandler for Hook {
    /// Always handled: agents' messages are for the hub alone, and a refused one is acknowledged too, or its sender would send it
    /// for ever. When ingest has ended the hub is stopping; the agent keeps what the hub has not acknowledged itself.
    fn on_client_publish<'a>(
        &'a self,
        event: ClientPublishEvent,
    ) -> Pin<Box<dyn Future<Output = PublishAction> + Send + 'a>> {
        Box::pin(async move {
            let client = event.user_id.as_deref().unwrap_or(&event.client_id);
            if event.retain {
                self.0.refuse(client, &event.topic, &Refusal::Retained);
            } else if let Some(inbound) = self.0.read(client, &event.topic, &event.payload) {
                self.0.deliver(inbound).await;
            }
            PublishAction::Handled
        })
    }
}
