use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::Result;
use rstest::rstest;
use tokio::time::Instant;

use super::{Faults, Proxy};
use crate::wait;

const SOON: Duration = Duration::from_secs(10);

/// A server that says everything again, and ends when its client does.
fn echo() -> Result<Proxy> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let (mut back, mut from) = (stream.try_clone()?, stream);
                std::io::copy(&mut from, &mut back)
            });
        }
    });
    Proxy::to(address)
}

fn client(proxy: &Proxy) -> Result<TcpStream> {
    let stream = TcpStream::connect(proxy.address())?;
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

/// Sends `bytes` and waits until they are back.
fn round_trip(stream: &mut TcpStream, bytes: &[u8]) -> Result<Duration> {
    let begun = Instant::now();
    let mut writer = stream.try_clone()?;
    let sent = bytes.to_vec();
    let writing = thread::spawn(move || writer.write_all(&sent));
    let mut back = vec![0; bytes.len()];
    stream.read_exact(&mut back)?;
    writing.join().expect("the writer does not panic")?;
    assert_eq!(back, bytes);
    Ok(begun.elapsed())
}

#[rstest]
#[case::none("none")]
#[case::all("rate=64000bit latency=2s slice=1 reset=20s half-close blackhole refuse")]
fn faults_are_read_as_they_are_written(#[case] words: &str) {
    let faults: Faults = words.parse().unwrap();
    assert_eq!(faults.to_string(), words);
}

#[rstest]
#[case::unknown("fog")]
#[case::no_bytes("slice=0")]
#[case::unit("rate=64kB")]
#[case::too_fast("rate=9999999mbit")]
#[case::no_time("latency=soon")]
fn a_word_that_is_no_fault_is_named(#[case] word: &str) {
    let error = word.parse::<Faults>().unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{word}` is no fault: ")), "{error}");
}

#[test]
fn a_line_in_order_changes_nothing() -> Result<()> {
    let proxy = echo()?;
    let mut stream = client(&proxy)?;
    round_trip(&mut stream, &vec![7; 1_000_000])?;
    // What has been read was written just before it is counted.
    wait::until("both ways to be counted", SOON, || {
        let seen = proxy.seen();
        Ok(((seen.len(), seen[0].to_server, seen[0].to_client) == (1, 1_000_000, 1_000_000)).then_some(()))
    })?;
    stream.shutdown(std::net::Shutdown::Write)?;
    assert_eq!(stream.read(&mut [0; 1])?, 0, "an end is handed on");
    wait::until("the connection to be over", SOON, || Ok((!proxy.seen()[0].open).then_some(())))
}

#[test]
fn a_slow_line_takes_its_time_and_a_late_one_too() -> Result<()> {
    let proxy = echo()?;
    let mut stream = client(&proxy)?;
    proxy.inflict(Faults::rate(64_000));
    // 8,000 bytes a second each way, both at once.
    let took = round_trip(&mut stream, &[1; 6_000])?;
    assert!((Duration::from_millis(600)..Duration::from_secs(4)).contains(&took), "{took:?}");
    // Nor is one that is less slow any slower than ordered: 750,000 bytes a second.
    proxy.inflict(Faults::rate(6_000_000));
    let took = round_trip(&mut stream, &vec![1; 600_000])?;
    assert!((Duration::from_millis(600)..Duration::from_secs(3)).contains(&took), "{took:?}");
    proxy.inflict(Faults::latency(Duration::from_millis(300)));
    let took = round_trip(&mut stream, b"there and back")?;
    assert!((Duration::from_millis(600)..Duration::from_secs(4)).contains(&took), "{took:?}");
    Ok(())
}

#[test]
fn slices_are_as_small_as_ordered_and_all_there() -> Result<()> {
    let proxy = echo()?;
    proxy.inflict(Faults::slices(1));
    let bytes: Vec<u8> = (0..20_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    round_trip(&mut client(&proxy)?, &bytes)?;
    Ok(())
}

#[test]
fn a_blackhole_tells_nobody_and_holds_what_was_sent() -> Result<()> {
    let proxy = echo()?;
    let mut stream = client(&proxy)?;
    round_trip(&mut stream, b"before")?;
    proxy.inflict(Faults::blackhole());
    stream.write_all(b"during")?;
    let mut newcomer = client(&proxy)?;
    newcomer.write_all(b"hello")?;
    for silent in [&mut stream, &mut newcomer] {
        silent.set_read_timeout(Some(Duration::from_millis(300)))?;
        let error = silent.read(&mut [0; 1]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        silent.set_read_timeout(Some(SOON))?;
    }
    proxy.inflict(Faults::default());
    let mut back = [0; 6];
    stream.read_exact(&mut back)?;
    assert_eq!(&back, b"during");
    newcomer.read_exact(&mut back[..5])?;
    assert_eq!(&back[..5], b"hello");
    Ok(())
}

#[test]
fn connections_are_reset_by_age_and_by_order() -> Result<()> {
    let proxy = echo()?;
    let mut by_age = client(&proxy)?;
    round_trip(&mut by_age, b"there")?;
    proxy.inflict(Faults::reset_after(Duration::from_millis(400)));
    assert_eq!(by_age.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.inflict(Faults::default());
    let mut by_order = client(&proxy)?;
    round_trip(&mut by_order, b"there")?;
    proxy.reset();
    assert_eq!(by_order.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    round_trip(&mut client(&proxy)?, b"a new one is none of the reset ones")?;
    assert_eq!(proxy.most_within(SOON), 3);
    Ok(())
}

#[test]
fn a_half_closed_connection_still_takes_what_the_client_says() -> Result<()> {
    let proxy = echo()?;
    let (mut closed, mut other) = (client(&proxy)?, client(&proxy)?);
    round_trip(&mut closed, b"there")?;
    round_trip(&mut other, b"there")?;
    assert!(proxy.inflict_on(0, Faults::half_close()) && !proxy.inflict_on(2, Faults::half_close()));
    assert_eq!(closed.read(&mut [0; 1])?, 0);
    closed.write_all(b"more")?;
    wait::until("the server to be told more", SOON, || Ok((proxy.seen()[0].to_server == 9).then_some(())))?;
    round_trip(&mut other, b"nothing happened to the other")?;
    Ok(())
}

#[test]
fn refused_connections_come_back_when_it_is_over() -> Result<()> {
    let proxy = echo()?;
    let mut open = client(&proxy)?;
    round_trip(&mut open, b"there")?;
    proxy.inflict(Faults::refuse());
    wait::until("connections to be refused", SOON, || {
        let refused = TcpStream::connect(proxy.address()).err();
        Ok(refused.filter(|error| error.kind() == ErrorKind::ConnectionRefused).map(drop))
    })?;
    round_trip(&mut open, b"those that are open go on")?;
    proxy.inflict(Faults::default());
    let mut again = wait::until("connections to be accepted", SOON, || client(&proxy).map(Some))?;
    round_trip(&mut again, b"there")?;
    Ok(())
}
