//! A Modbus TCP gateway with simulated units behind it.

use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    sync::Arc,
};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_modbus::{
    ExceptionCode, Response, SlaveRequest,
    server::{
        Service,
        tcp::{Server, accept_tcp_connection},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::registers::Unit;

/// A gateway: it answers for each of its units, and says of any other that it does not respond.
#[derive(Clone)]
pub(super) struct Gateway {
    units: Arc<BTreeMap<u8, Arc<dyn Unit>>>,
}

impl Gateway {
    /// A gateway with `units` by their addresses.
    pub(super) fn new<const N: usize>(units: [(u8, Arc<dyn Unit>); N]) -> Self {
        Self { units: Arc::new(units.into()) }
    }

    /// Answers on `listener` until `stop`.
    pub(super) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let connected = |stream, peer| {
            let gateway = self.clone();
            async move { accept_tcp_connection(stream, peer, move |_| Ok(Some(gateway.clone()))) }
        };
        let broken = |error| debug!(%error, "a connection to a simulated gateway broke");
        let served = Server::new(listener).serve_until(&connected, broken, stop.cancelled_owned()).await;
        served.map(|_| ()).context("accepting connections to a simulated Modbus gateway")
    }
}

impl Service for Gateway {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        let answer = match self.units.get(&asked.slave) {
            Some(unit) => unit.registers().answer(&asked.request),
            None => Err(ExceptionCode::GatewayTargetDevice),
        };
        ready(answer)
    }
}
