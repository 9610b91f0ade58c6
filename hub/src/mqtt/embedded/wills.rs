//! Deaths that the broker says in an agent's name. Wills do not pass the publish hook, but they are routed, so a subscription
//! inside the process hears them: with all the broker's rules for wills kept, and after everything the connection had sent.

use std::sync::Arc;

use lobby_contract::{Channel, Topic};
use mqtt5::{
    QoS,
    broker::router::{DeliveryLanes, LaneReceivers, MessageRouter, RoutableMessage, SubscriptionRequest},
};
use tokio::sync::oneshot;
use tracing::warn;

use crate::mqtt::{
    StartError,
    inlet::{Inlet, sender_named_by},
};

/// No client of the network can have this id: the broker refuses a `/` in it.
const SUBSCRIBER: &str = "hub/wills";

/// The subscription to every agent's `death`.
pub(super) struct Wills {
    router: Arc<MessageRouter>,
    inlet: Arc<Inlet>,
    lanes: LaneReceivers,
    /// Held so that the router takes the subscriber for connected.
    _connected: oneshot::Receiver<mqtt5::broker::router::TakeoverNotice>,
}

impl Wills {
    /// Subscribes. There is room for a will of each of `max_clients` at once.
    pub(super) async fn subscribe(
        router: Arc<MessageRouter>,
        inlet: Arc<Inlet>,
        max_clients: usize,
    ) -> Result<Self, StartError> {
        let (senders, lanes) = DeliveryLanes::channel(max_clients + 1024);
        let (disconnect, connected) = oneshot::channel();
        let queue = router.queue_handle(SUBSCRIBER);
        router.register_client(SUBSCRIBER.to_owned(), senders, queue, disconnect).await;
        let request = SubscriptionRequest::new(SUBSCRIBER, Topic::filter(Channel::Death), QoS::AtLeastOnce);
        router.subscribe(request).await.map_err(|error| StartError::Broker(error.to_string()))?;
        Ok(Self { router, inlet, lanes, _connected: connected })
    }

    /// The next will; never ends while the subscription is held.
    pub(super) async fn next(&mut self) -> Option<RoutableMessage> {
        self.lanes.recv().await
    }

    /// Hands a will to ingest as if the agent had published it.
    pub(super) async fn hand_on(&self, will: RoutableMessage) {
        let publish = will.publish;
        // The topic names the agent; the broker has checked that the will was its own.
        if let Some(inbound) =
            self.inlet.read(sender_named_by(&publish.topic_name), &publish.topic_name, &publish.payload)
        {
            self.inlet.deliver(inbound).await;
        }
        let queue = self.router.queue_handle(SUBSCRIBER);
        if queue.behind() {
            // More deaths than the lane holds, while ingest stood still. What went past the lane cannot be read from the broker's
            // queue; those agents fall silent, and silence is judged too.
            let lost = queue.clear(None);
            warn!(lost, "more agents were lost at once than could be heard; their silence will tell");
        }
    }
}
