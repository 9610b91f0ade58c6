//! A backup holds what the database held, restores into either database, and tells every damage.

use std::{fs, path::Path};

use lobby_domain::{
    access::{Grant, Role},
    delivery::Stream,
};
use rstest::rstest;
use sqlx::Connection;
use tempfile::TempDir;

use super::{
    DARK, Database, Kind, LED, Store, T0, commit, execute, raise, record, reports, reports::report_with_photo, writer,
};
use crate::{
    audit::Actor,
    backup::{self, BackupError, Folder, Manifest},
    installation::Installation,
    storage::Place,
    store::Missing,
    token,
};

/// What JSON, COPY and SQL all treat in a way of their own.
const AWKWARD: &str = "门口\t\"LED\"\\n\n\\N 'x' \u{1F4A1}";

fn quiet(_: &str) {}

fn place(folder: &Path, url: &str) -> Place {
    let (data_dir, backups) = (folder.join("data"), folder.join("backups"));
    Place { data_dir, database_url: url.to_owned(), backups }
}

/// A database with records, an alert and its ticket.
async fn filled(kind: Kind) -> Option<Database> {
    let database = Database::create(kind).await?;
    let mut writer = writer(&database.store);
    let mut batch = reports("lobby-box", LED, (1..=450).map(|seq| record(seq, LED, T0.shifted(seq.cast_signed()))));
    batch.devices[0].name = AWKWARD.into();
    batch.devices[0].announced = true;
    batch.agents[0].streams.insert(1, Stream::restored(0, 450));
    batch.changes.streams.insert((batch.agents[0].id.clone(), 1));
    writer.commit(&[batch], T0).await.unwrap();
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let grant = Grant { role: Role::Viewer, site: None };
    token::create(&database.store, AWKWARD.into(), grant.clone(), None, T0, &Actor::here(AWKWARD)).await.unwrap();
    token::create(&database.store, "other".into(), grant, None, T0, &Actor::here("")).await.unwrap();
    Some(database)
}

async fn backup_of(url: &str, folder: &TempDir, name: &str) -> Manifest {
    backup::make(url, &folder.path().join(name), T0, &quiet).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn a_backup_of_either_database_restores_into_either(
    #[values(Kind::Sqlite, Kind::Postgres)] from: Kind,
    #[values(Kind::Sqlite, Kind::Postgres)] to: Kind,
) {
    let (Some(source), Some(target)) = (filled(from).await, Database::create(to).await) else { return };
    report_with_photo(&source.store).await;
    let folder = tempfile::tempdir().unwrap();
    let made = backup_of(source.url(), &folder, "one.db").await;
    assert_eq!((made.rows_of("record"), made.rows_of("ticket"), made.rows_of("alert")), (Some(450), Some(1), Some(2)));
    assert_eq!((made.rows_of("report"), made.rows_of("photo")), (Some(1), Some(1)));

    target.store.close().await;
    let place = place(folder.path(), target.url());
    let file = folder.path().join("one.db");
    let refused = backup::restore(&file, &place, false, T0, &quiet).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty(_)), "{refused}");
    backup::restore(&file, &place, true, T0, &quiet).await.unwrap();
    assert!(backup_of(target.url(), &folder, "two.db").await.same_content(&made));
    backup::verify_database(&place, &quiet).await.unwrap();

    // Life goes on: new rows take numbers that are free, and open incidents are still open.
    let store = target.again().await;
    let mut writer = writer(&store);
    assert_eq!(commit(&mut writer, raise(LED, DARK, T0)).await.raised, 0);
    let other = reports("other-box", "tv", [record(1, "tv", T0)]);
    assert_eq!(writer.commit(&[other], T0).await.unwrap().records, 1);
    let grant = Grant { role: Role::Viewer, site: None };
    token::create(&store, "after it".into(), grant, None, T0, &Actor::here("")).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().unwrap().no, 4);
}

#[rstest]
#[tokio::test]
async fn a_database_that_a_hub_uses_is_not_replaced() {
    let (Some(source), Some(target)) = (filled(Kind::Sqlite).await, Database::create(Kind::Postgres).await) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    backup_of(source.url(), &folder, "one.db").await;
    let place = place(folder.path(), target.url());
    let refused = backup::restore(&folder.path().join("one.db"), &place, true, T0, &quiet).await.unwrap_err();
    assert!(matches!(refused, BackupError::InUse(_)), "{refused}");
}

#[rstest]
#[tokio::test]
async fn what_is_written_during_a_backup_is_in_it_whole_or_not_at_all(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = filled(kind).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(&database.store);
    let writing = async {
        for seq in 451..=650 {
            let mut batch = reports("lobby-box", LED, [record(seq, LED, T0)]);
            batch.agents[0].streams.insert(1, Stream::restored(0, seq));
            batch.changes.streams.insert((batch.agents[0].id.clone(), 1));
            writer.commit(&[batch], T0).await.unwrap();
        }
    };
    // Verified against the promises: a record without its count, or a count without its record, would break them.
    let (made, ()) = tokio::join!(backup_of(database.url(), &folder, "one.db"), writing);
    let held = made.rows_of("record").unwrap();
    assert!((450..=650).contains(&held), "{held}");
    let copy = format!("sqlite://{}", folder.path().join("one.db").display());
    let copy = Store::connect(&copy, Missing::Refuse).await.unwrap();
    let mut tx = copy.read().await.unwrap();
    let (last, count): (i64, i64) = on!(&mut tx, "count", conn =>
        sqlx::query_as("SELECT MAX(seq), COUNT(*) FROM record").fetch_one(conn).await)
    .unwrap();
    assert_eq!((last, count), (held, held), "the history up to a moment");
}

#[tokio::test]
async fn every_flipped_byte_of_a_backup_is_found() {
    let source = filled(Kind::Sqlite).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    backup_of(source.url(), &folder, "one.db").await;
    let whole = fs::read(folder.path().join("one.db")).unwrap();
    let mut seed = 20_261_123_u64;
    for _ in 0..300 {
        // A generator of its own keeps the cases the same for ever.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = whole.clone();
        let at = usize::try_from(seed >> 24).unwrap() % bytes.len();
        bytes[at] ^= u8::try_from(seed >> 8 & 0xff).unwrap().max(1);
        let file = folder.path().join("damaged.db");
        fs::write(&file, &bytes).unwrap();
        let verified = backup::verify_file(&file, &quiet).await;
        assert!(verified.is_err(), "a byte at {at} was not missed");
    }
}

/// The first format: no digest of all bytes.
async fn of_the_first_format(file: &Path) {
    type Row = (String, i64, Option<uuid::Uuid>, i64, i64, String);
    let url = format!("sqlite://{}", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let select = "SELECT product, schema, installation, starts, made_at, source FROM backup_manifest";
    let (product, schema, installation, starts, made_at, source): Row =
        sqlx::query_as(select).fetch_one(&mut connection).await.unwrap();
    let tables: Vec<(String, i64, String)> =
        sqlx::query_as("SELECT name, rows, digest FROM backup_table ORDER BY name")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let text = format!("1|{product}|{schema}|{installation:?}|{starts}|{made_at}|{source}");
    let tables = tables.into_iter().map(|(name, rows, digest)| format!("|{name}|{rows}|{digest}"));
    let text = text + &tables.collect::<String>();
    sqlx::query("UPDATE backup_manifest SET format = 1, digest = $1")
        .bind(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(text.as_bytes())))
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("DROP TABLE backup_file").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_from_before_there_was_a_digest_of_all_bytes_is_restored_and_says_so() {
    let source = filled(Kind::Sqlite).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let made = backup_of(source.url(), &home, "one.db").await;
    assert!(made.tells_of_all_bytes());
    let file = home.path().join("one.db");
    of_the_first_format(&file).await;
    let place = place(home.path(), &format!("sqlite://{}", home.path().join("data/lobby.db").display()));
    let said = std::sync::Mutex::new(String::new());
    let restored = backup::restore(&file, &place, false, T0, &|line| *said.lock().unwrap() += line).await.unwrap();
    assert!(!restored.tells_of_all_bytes() && restored.same_content(&made));
    assert!(said.lock().unwrap().contains("before backups held a digest of all their bytes"), "{said:?}");
}

#[tokio::test]
async fn a_backup_whose_digest_of_all_bytes_was_taken_away_is_no_old_one() {
    let source = filled(Kind::Sqlite).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    backup_of(source.url(), &home, "one.db").await;
    let file = home.path().join("one.db");
    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::query("DROP TABLE backup_file").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let refused = backup::verify_file(&file, &quiet).await.unwrap_err();
    assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_called_a_bad_backup() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nope.db");
    let refused = backup::verify_file(&file, &quiet).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{}: there is no such file", file.display()));
    let refused = backup::look(&format!("sqlite://{}", file.display())).await.unwrap_err();
    assert!(refused.to_string().contains("there is no database of a hub here"), "{refused}");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_postgresql_that_cannot_be_reached_is_named_with_the_cause_and_without_the_password() {
    // Nothing listens at a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = Store::connect(&format!("postgres://lobby:canary@127.0.0.1:{port}/lobby"), Missing::Refuse).await;
    let said = refused.unwrap_err().to_string();
    let expected = format!(
        "the database at 127.0.0.1:{port}/lobby cannot be reached: connection refused; see that PostgreSQL runs"
    );
    assert!(said.starts_with(&expected) && !said.contains("canary"), "{said}");
    let Some(database) = Database::create(Kind::Postgres).await else { return };
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let (host, port, user) = (options.get_host(), options.get_port(), options.get_username());
    let url = format!("postgres://{user}@{host}:{port}/no_such_lobby");
    let said = Store::connect(&url, Missing::Refuse).await.unwrap_err().to_string();
    let expected = format!("the database at {host}:{port}/no_such_lobby cannot be reached: ");
    assert!(said.starts_with(&expected) && said.contains("does not exist") && said.contains("createdb"), "{said}");
    let url = format!("postgres://nobody_here:canary@{host}:{port}/postgres");
    let said = Store::connect(&url, Missing::Refuse).await.unwrap_err().to_string();
    assert!(said.contains("nobody_here") && said.contains("PGPASSWORD") && !said.contains("canary"), "{said}");
}

#[tokio::test]
async fn the_newest_whole_backup_is_restored_and_the_damaged_one_is_named() {
    let source = filled(Kind::Sqlite).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let place = place(home.path(), &format!("sqlite://{}", home.path().join("data/lobby.db").display()));
    let folder = Folder::new(place.backups.clone());
    let nothing = backup::restore_latest(&place, false, T0, &quiet).await.unwrap_err();
    assert!(matches!(nothing, BackupError::NoBackup(_)), "{nothing}");
    backup::make(source.url(), &folder.free_name(T0, None).unwrap(), T0, &quiet).await.unwrap();
    let newer = folder.free_name(T0.shifted(60_000), None).unwrap();
    backup::make(source.url(), &newer, T0.shifted(60_000), &quiet).await.unwrap();
    let mut bytes = fs::read(&newer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0);
    fs::write(&newer, bytes).unwrap();

    let said = std::sync::Mutex::new(String::new());
    let restored = backup::restore_latest(&place, false, T0, &|line| *said.lock().unwrap() += line).await.unwrap();
    assert_eq!(restored.made_at, T0);
    assert!(said.lock().unwrap().contains(&newer.display().to_string()), "{said:?}");
    assert_eq!(Installation::read(&place.data_dir).unwrap(), None, "a database without a name gets one at its start");
}

#[rstest]
#[case::two_open_alerts(
    "DROP INDEX alert_open; INSERT INTO alert (id, site, subject, rule, clauses, severity, tells, title_zh, title_en, evidence_zh,
     evidence_en, since, opened_at) SELECT randomblob(16), site, subject, rule, clauses, severity, tells, title_zh, title_en,
     evidence_zh, evidence_en, since, opened_at FROM alert",
    "more than one open alert"
)]
#[case::a_lost_ticket(
    "DELETE FROM escalation; DELETE FROM ticket_event; DELETE FROM ticket",
    "name a ticket that is not there"
)]
#[case::a_lost_history("DELETE FROM ticket_event", "tickets have no history")]
#[case::a_lost_alert("DELETE FROM alert", "notifications name an alert that is not there")]
#[case::a_lost_count("DELETE FROM stream", "no note of what was taken in")]
#[case::an_old_count("UPDATE stream SET committed = 449", "is not counted")]
#[case::a_lost_device("DELETE FROM device", "devices of records are not there")]
#[case::an_altered_audit_log(
    "DROP TRIGGER audit_is_not_changed; UPDATE audit SET subject = 'x' WHERE no = 1",
    "the audit log is not whole: entry 1 is not what was written"
)]
#[case::a_lost_form("DELETE FROM form", "forms of records are not there")]
#[tokio::test]
async fn a_contradiction_is_named(#[case] damage: &'static str, #[case] said: &str) {
    let database = filled(Kind::Sqlite).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path(), database.url());
    backup::verify_database(&place, &quiet).await.unwrap();
    for statement in damage.split("; ") {
        execute(&database.store, statement.to_owned()).await;
    }
    let error = backup::verify_database(&place, &quiet).await.unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
}
