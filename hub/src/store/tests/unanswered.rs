//! A commit whose answer is lost: whether it happened is not known, so it is tried again, and must not happen twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    DARK, Database, Kind, LED, MINUTE, Store, T0, alerts, all_alerts, all_tickets, clear, commit, count, raise, record,
    reports, writer,
};
use crate::{lifecycle::Lifecycle, store::Trouble};

/// Passes connections on to PostgreSQL; when armed, it passes the next COMMIT on as well, and cuts the connection before the answer.
pub(super) struct Proxy {
    address: std::net::SocketAddr,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy before a database, and the database through it.
    pub(super) async fn before(database: &Database) -> (Self, Store) {
        let url = database.url().to_owned();
        let (before, rest) = url.split_once('@').unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let proxy = Self::to(server.to_owned()).await;
        let store = Store::open(&format!("{before}@{}/{path}", proxy.address)).await.unwrap();
        (proxy, store)
    }

    /// Cuts off the answer to the next commit.
    pub(super) fn arm(&self) {
        self.armed.store(true, SeqCst);
    }

    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let (lifecycle, cut) = (Lifecycle::new(), Arc::clone(&armed));
        lifecycle.clone().detach("proxy", async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                lifecycle.detach("connection", pass(client, server, Arc::clone(&cut)));
            }
        });
        Self { address, armed }
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, cut: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let part = &asked[..length];
                server.write_all(part).await.unwrap();
                let commits = part.windows(6).any(|word| word.eq_ignore_ascii_case(b"COMMIT"));
                if commits && cut.swap(false, SeqCst) {
                    // The answer means that it is done.
                    assert!(server.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_done_once_when_it_is_tried_again() {
    let Some(database) = Database::create(Kind::Postgres).await else { return };
    let (proxy, store) = Proxy::before(&database).await;
    let mut writer = writer(&store);

    commit(&mut writer, raise(LED, DARK, T0)).await;
    // The alert ends and comes again: done twice, this would end the second one.
    let mut both = reports("box", LED, [record(1, LED, T0), record(2, LED, T0)]);
    both.changes.alerts = vec![clear(LED, DARK, T0 + MINUTE), raise(LED, DARK, T0 + MINUTE + MINUTE)];
    proxy.arm();
    let batches = [both, alerts([])];
    let error = writer.commit(&batches, T0).await.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Lost, "{error:?}");
    writer.commit(&batches, T0).await.unwrap();

    let open: Vec<bool> = all_alerts(&database.store).await.iter().map(|alert| alert.cleared_at.is_none()).collect();
    assert_eq!(open, [true, false], "the newest first: the second alert is open");
    assert_eq!((count(&database.store, "record").await, all_tickets(&database.store).await.len()), (2, 1));
    // And the next batch is another one.
    writer.commit(&[alerts([clear(LED, DARK, T0 + MINUTE.times(3))])], T0).await.unwrap();
    assert!(all_alerts(&database.store).await.iter().all(|alert| alert.cleared_at.is_some()));
}
