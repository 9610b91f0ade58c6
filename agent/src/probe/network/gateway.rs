//! The second step: does the router answer? Any TCP answer counts, a refusal too, and so does a ping.

use std::{future::Future, io, net::IpAddr, pin::Pin, time::Duration};

use futures_util::future::select_ok;

use super::ping;
use crate::probe::tcp::first_answer;

type Asked<'a> = Pin<Box<dyn Future<Output = io::Result<Duration>> + Send + 'a>>;

/// How long the gateway took to answer, or `None` if it did not within `patience`.
pub(super) async fn answer(gateway: IpAddr, ports: &[u16], patience: Duration) -> Option<Duration> {
    let by_tcp: Asked =
        Box::pin(async move { first_answer(&[gateway], ports, patience).await.map(|answer| answer.after) });
    let by_ping: Asked = Box::pin(ping::echo(gateway, patience));
    match select_ok([by_tcp, by_ping]).await {
        Ok((after, _)) => Some(after),
        Err(error) => {
            tracing::debug!(%gateway, %error, "the gateway did not answer");
            None
        }
    }
}
