//! The database of the first release, with many records, is brought up to date; killed at every step, it goes on where it was.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    hub::{self, Options},
    process::Process,
    stored,
};
use sqlx::{ConnectOptions, Connection, Executor, migrate::Migrator, sqlite::SqliteConnectOptions};
use tokio::{runtime::Runtime, time::Instant};

const RECORDS: i64 = 200_000;
const PATIENCE: Duration = Duration::from_mins(3);

/// What the first release left: an agent that delivered many records, and an incident that is open.
const CONTENT: &str = r#"
INSERT INTO agent VALUES (1, 'demo', 'lobby-box', '0.1.0', 1, 1, 0, 60000, 1795140000000);
INSERT INTO device VALUES (1, 'demo', 'entrance-led', 'k7m2q9xa', 'led-display', '门口电子显示屏', '大门口', 'lobby-box', 10000, 1);
INSERT INTO stream VALUES (1, 1, 0, 200000);
INSERT INTO record SELECT 1, 1, n, 1, 1795140000000 + n * 1000, 1795140000020 + n * 1000, 0,
    '{"power":"on","temperature_c":' || (n % 60) || '}', '[]'
    FROM (WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 200000) SELECT n FROM count);
INSERT INTO rule_phase VALUES ('demo', 'entrance-led', 'display-dark', 'firing', 1795140000000, NULL);
INSERT INTO ticket VALUES ('BX-202611-0001', 'demo', 'entrance-led', 'display', 'display-dark', '', 'engineering', 'high',
    'concierge', '黑屏', 'dark', 'new', 1, '', 1795140000000, 1795140000000, 1795140000000, 1795140000000, NULL, NULL, NULL, NULL);
INSERT INTO ticket_count VALUES ('202611', 1);
INSERT INTO ticket_event VALUES (1, 'BX-202611-0001', 1795140000000, 'opened', '', '');
INSERT INTO alert VALUES (x'00112233445566778899aabbccddeeff', 'demo', 'entrance-led', 'display-dark', '', 'critical',
    'engineering', '', '黑屏', 'dark', '电源：关机', 'power: off', 1795140000000, 1795140000000, NULL, NULL, 'BX-202611-0001');
"#;

fn first_release(runtime: &Runtime, data: &Path) -> Result<()> {
    fs::create_dir_all(data)?;
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hub/migrations/sqlite");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(data.join("lobby.db")).create_if_missing(true);
        let mut connection = options.connect().await?;
        Migrator::new(migrations).await?.run_to(1, &mut connection).await?;
        connection.execute("BEGIN").await?;
        sqlx::raw_sql(CONTENT).execute(&mut connection).await?;
        connection.execute("COMMIT").await?;
        connection.close().await?;
        Ok(())
    })
}

fn versions(runtime: &Runtime, data: &Path) -> Result<Vec<i64>> {
    runtime.block_on(async {
        let mut connection =
            SqliteConnectOptions::new().filename(data.join("lobby.db")).read_only(true).connect().await?;
        let found = sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found)
    })
}

/// The step of the schema that a line of the log says is begun.
fn step_of(line: &str) -> Option<i64> {
    let rest = line.split("schema to version ").nth(1)?;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a person wants to see of it")]
fn an_upgrade_killed_at_each_step_loses_nothing_and_leaves_a_backup() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    first_release(&runtime, &data)?;
    let loopback = "127.0.0.1:0".parse()?;
    // Each start leaves a backup: the first of them is to be there still. And no record is too old, whenever this is run.
    let config = "[backup]\nkeep = 50\n[history]\nraw = '36500d'\nhourly = '36500d'\ndaily = '36500d'\n";
    let options = Options { config: Some(config.into()), ..Options::default() };
    let (mut kills, mut last) = (0, 1);
    let begun = Instant::now();
    loop {
        let mut process = Process::start("lobby-hub", &mut hub::command(&data, &options, loopback, loopback)?)?;
        // The step is said before it is begun; a kill comes before, within or after it.
        let step = process.line("a step, or that it is ready", PATIENCE, |line| {
            let step = step_of(line).filter(|step| *step > last);
            step.or_else(|| line.contains("http listening on").then_some(0))
        })?;
        if step == 0 {
            ensure!(process.terminate(PATIENCE)?.success(), "a clean end");
            break;
        }
        process.kill()?;
        // It may have come to the next ones before the kill came.
        let step = process.said_all().lines().filter_map(step_of).max().unwrap_or(step);
        (kills, last) = (kills + 1, step);
        let there = versions(&runtime, &data)?;
        ensure!(
            there.contains(&1) && there.iter().all(|version| *version <= step),
            "no step is ahead of its turn: {there:?}"
        );
    }
    eprintln!("killed at {kills} steps; all of it took {:?}", begun.elapsed());
    ensure!(kills > 0, "at least one step was seen");
    let shown = data.display().to_string();
    let (whole, said) = stored::command(&["verify", "--data-dir", &shown])?;
    ensure!(whole && said.contains(&format!("record: {RECORDS} rows")), "{said}");
    ensure!(said.contains("ticket: 1 rows") && said.contains("alert: 1 rows"), "{said}");

    let backups = fs::read_dir(data.join("backups"))?.flatten().map(|entry| entry.path());
    let before =
        backups.filter(|path| path.display().to_string().contains("-schema1")).max().context("a backup before")?;
    let (whole, said) = stored::command(&["verify", &before.display().to_string()])?;
    ensure!(whole && said.contains(&format!("record: {RECORDS} rows, as written")), "{said}");
    // Back to before the upgrade, and up again.
    let line = format!("lobby-hub restore {} --replace --data-dir {shown}", before.display());
    let (done, said) = stored::typed(&line)?;
    ensure!(done, "{said}");
    let hub = stored::run(&data)?;
    ensure!(hub.api.tickets("demo", "open")?.len() == 1, "the incident is still open");
    hub.stop()
}

#[test]
fn an_older_program_refuses_a_newer_database_and_names_both() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    stored::run(&data)?.stop()?;
    // What a newer program would leave; the hub's own note of the file goes, as after its run.
    fs::remove_file(data.join("installation.json"))?;
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(data.join("lobby.db")).connect().await?;
        sqlx::raw_sql(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                VALUES (9000, 'later', TRUE, x'00', 1); UPDATE meta SET written_by = '9.9.9'",
        )
        .execute(&mut connection)
        .await?;
        connection.close().await?;
        anyhow::Ok(())
    })?;
    let stored::Start::Refused(code, said) = stored::start(&data, &Options::default(), |command| command)? else {
        anyhow::bail!("it starts")
    };
    ensure!(code == Some(1), "{code:?}");
    for word in ["schema 9000", "version 9.9.9", concat!("version ", env!("CARGO_PKG_VERSION"))] {
        ensure!(said.contains(word), "`{word}` is not in: {said}");
    }
    Ok(())
}
