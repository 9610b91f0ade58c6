//! The probe against scripted units on a real socket and on a real pseudo-terminal.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use rstest::rstest;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// What a unit does about the requests that touch an address.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Exception(u8),
    Silent,
    HangUp,
    /// Answers with one register too few.
    Short,
}

/// Units of two tables: registers by unit and address (functions 3 and 4), and bits (functions 1 and 2).
#[derive(Default)]
struct Units {
    words: BTreeMap<(u8, u16), u16>,
    moods: BTreeMap<(u8, u16), Mood>,
    /// Every request, as unit, function, address and count.
    asked: Vec<(u8, u8, u16, u16)>,
}

type Shared = Arc<Mutex<Units>>;

impl Units {
    /// The response to a request, without its frame; `None` for silence, an error to hang up.
    fn answer(&mut self, unit: u8, pdu: [u8; 5]) -> Result<Option<Vec<u8>>, ()> {
        let (function, address) = (pdu[0], u16::from_be_bytes([pdu[1], pdu[2]]));
        let count = u16::from_be_bytes([pdu[3], pdu[4]]);
        self.asked.push((unit, function, address, count));
        let addresses = address..address + count;
        let mood = addresses.clone().find_map(|address| self.moods.get(&(unit, address)));
        match mood.copied() {
            Some(Mood::Exception(code)) => return Ok(Some(vec![function | 0x80, code])),
            Some(Mood::Silent) => return Ok(None),
            Some(Mood::HangUp) => return Err(()),
            Some(Mood::Short) | None => {}
        }
        let Some(mut words) =
            addresses.map(|address| self.words.get(&(unit, address)).copied()).collect::<Option<Vec<_>>>()
        else {
            return Ok(Some(vec![function | 0x80, 2]));
        };
        if mood == Some(&Mood::Short) {
            words.pop();
        }
        let mut bytes = Vec::new();
        if function < 3 {
            bytes.resize(words.len().div_ceil(8), 0);
            words.iter().enumerate().filter(|(_, word)| **word != 0).for_each(|(n, _)| bytes[n / 8] |= 1 << (n % 8));
        } else {
            bytes.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        let mut answer = vec![function, u8::try_from(bytes.len()).unwrap()];
        answer.append(&mut bytes);
        Ok(Some(answer))
    }

    fn set(&mut self, unit: u8, address: u16, words: &[u16]) {
        for (n, word) in words.iter().enumerate() {
            self.words.insert((unit, address + u16::try_from(n).unwrap()), *word);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the peer of a test ends with its runtime")]
async fn tcp(units: &Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let units = Arc::clone(units);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut frame = [0; 12];
            while stream.read_exact(&mut frame).await.is_ok() {
                let answer = units.lock().unwrap().answer(frame[6], frame[7..].try_into().unwrap());
                let Ok(answer) = answer else { break };
                let Some(answer) = answer else { continue };
                let mut response = frame[..4].to_vec();
                response.extend(u16::try_from(answer.len() + 1).unwrap().to_be_bytes());
                response.push(frame[6]);
                response.extend(answer);
                stream.write_all(&response).await.unwrap();
            }
        }
    });
    address
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xFFFF_u16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xA001 } else { sum >> 1 };
        }
    }
    sum.to_le_bytes()
}

async fn rtu(mut port: impl AsyncRead + AsyncWrite + Unpin, units: Shared) {
    let mut frame = [0; 8];
    while port.read_exact(&mut frame).await.is_ok() {
        assert_eq!(checksum(&frame[..6]), frame[6..]);
        let answer = units.lock().unwrap().answer(frame[0], frame[1..6].try_into().unwrap());
        let Ok(Some(answer)) = answer else { continue };
        let mut response = vec![frame[0]];
        response.extend(answer);
        response.extend(checksum(&response));
        port.write_all(&response).await.unwrap();
    }
}

fn probe(text: &str) -> Modbus {
    Modbus::new(toml::from_str(text).unwrap()).unwrap()
}

fn registers(list: &[(&str, u16)]) -> String {
    use std::fmt::Write as _;
    list.iter().fold(String::new(), |mut text, (fact, address)| {
        write!(text, "\n[[register]]\nfact = \"{fact}\"\nfunction = \"holding\"\naddress = {address}\n").unwrap();
        text
    })
}

fn numbers(reading: &Reading) -> Vec<(&str, f64)> {
    let number = |value: &FactValue| if let FactValue::Number(number) = value { *number } else { f64::NAN };
    reading.facts.iter().map(|(fact, value)| (&**fact, number(value))).collect()
}

#[tokio::test]
async fn a_shoe_cover_machine_on_an_ebyte_is_read_in_two_requests_over_one_connection() {
    let units = Shared::default();
    units.lock().unwrap().set(1, 0, &[1, 0, 1, 0, 0, 0, 0, 0]);
    units.lock().unwrap().set(1, 0x09DF, &[137, 0, 0, 0, 0, 0, 0, 0]);
    let address = tcp(&units).await;
    let mut probe = probe(&format!(
        "address = \"{address}\"\npreset = \"ebyte-me31\"\nrename = {{ count1 = \"covers_dispensed\", di1 = \"jam\", di8 = \"low\" }}"
    ));
    let reading = probe.probe().await.unwrap();
    let expected: [(Box<str>, FactValue); 4] = [
        ("covers_dispensed".into(), 137.0.into()),
        ("covers_dispensed_epoch".into(), 0.0.into()),
        ("jam".into(), true.into()),
        ("low".into(), false.into()),
    ];
    assert_eq!(reading, Reading { reach: Reach::Ok, facts: BTreeMap::from(expected), faults: Vec::new() });
    assert_eq!(units.lock().unwrap().asked, [(1, 2, 0, 8), (1, 3, 0x09DF, 1)]);

    units.lock().unwrap().set(1, 0x09DF, &[3]);
    let cleared = probe.probe().await.unwrap();
    assert_eq!(cleared.facts["covers_dispensed"], 3.0.into());
    assert_eq!(cleared.facts["covers_dispensed_epoch"], 1.0.into());
}

#[tokio::test]
async fn a_missing_register_costs_its_own_fact_only_and_is_not_asked_again() {
    let units = Shared::default();
    units.lock().unwrap().set(1, 10, &[1, 2]);
    units.lock().unwrap().set(1, 13, &[4]);
    let address = tcp(&units).await;
    let mut probe =
        probe(&format!("address = \"{address}\"{}", registers(&[("a", 10), ("b", 11), ("c", 12), ("d", 13)])));
    for _ in 0..2 {
        assert_eq!(numbers(&probe.probe().await.unwrap()), [("a", 1.0), ("b", 2.0), ("d", 4.0)]);
    }
    let asked = units.lock().unwrap().asked.iter().map(|(_, _, address, count)| (*address, *count)).collect::<Vec<_>>();
    assert_eq!(asked, [(10, 4), (10, 1), (11, 1), (12, 1), (13, 1), (10, 1), (11, 1), (13, 1)]);
}

#[tokio::test]
async fn a_device_without_any_of_the_registers_has_answered_all_the_same_and_is_asked_anew() {
    let units = Shared::default();
    let address = tcp(&units).await;
    let mut probe = probe(&format!("address = \"{address}\"{}", registers(&[("a", 10)])));
    for asked in 1..=2 {
        assert_eq!(probe.probe().await.unwrap(), Reading { reach: Reach::Ok, facts: BTreeMap::new(), faults: vec![] });
        assert_eq!(units.lock().unwrap().asked.len(), asked);
    }
}

#[tokio::test]
async fn a_device_that_says_it_failed_is_reached_and_the_exception_is_its_fault_code() {
    let units = Shared::default();
    units.lock().unwrap().set(1, 0, &[7]);
    units.lock().unwrap().moods.insert((1, 100), Mood::Exception(4));
    let address = tcp(&units).await;
    let mut probe = probe(&format!("address = \"{address}\"{}", registers(&[("a", 0), ("b", 100)])));
    let reading = probe.probe().await.unwrap();
    assert_eq!(numbers(&reading), [("a", 7.0)]);
    assert_eq!(reading.faults, ["EX04".into()] as [Box<str>; 1]);
}

#[tokio::test]
async fn a_fault_register_names_itself_while_it_is_not_zero() {
    let units = Shared::default();
    units.lock().unwrap().set(1, 0, &[0]);
    let address = tcp(&units).await;
    let mut probe = probe(&format!("address = \"{address}\"{}fault_code = true", registers(&[("motor_stall", 0)])));
    assert!(probe.probe().await.unwrap().faults.is_empty());
    units.lock().unwrap().set(1, 0, &[2]);
    assert_eq!(probe.probe().await.unwrap().faults, ["motor_stall".into()] as [Box<str>; 1]);
}

#[rstest]
#[case::silent(Mood::Silent, 3)]
#[case::behind_a_gateway_and_silent(Mood::Exception(11), 3)]
#[case::busy(Mood::Exception(6), 3)]
#[case::wrong_size(Mood::Short, 3)]
#[case::hangs_up(Mood::HangUp, 3)]
#[tokio::test]
async fn a_unit_without_a_sensible_response_is_unreachable_after_its_retries(
    #[case] mood: Mood,
    #[case] requests: usize,
) {
    let units = Shared::default();
    units.lock().unwrap().set(1, 0, &[7]);
    units.lock().unwrap().moods.insert((1, 0), mood);
    let address = tcp(&units).await;
    let mut probe = probe(&format!("address = \"{address}\"\nresponse_timeout_ms = 30{}", registers(&[("a", 0)])));
    let error = probe.probe().await.unwrap_err();
    assert!(
        matches!(&error, ProbeError::Unreachable(text) if text.contains("unit 1") && text.contains("holding 0")),
        "{error}"
    );
    assert_eq!(units.lock().unwrap().asked.len(), requests);
    units.lock().unwrap().moods.clear();
    assert_eq!(numbers(&probe.probe().await.unwrap()), [("a", 7.0)]);
}

#[tokio::test]
async fn a_gateway_without_a_path_is_no_word_about_the_device() {
    let units = Shared::default();
    units.lock().unwrap().moods.insert((1, 0), Mood::Exception(10));
    let address = tcp(&units).await;
    let error = probe(&format!("address = \"{address}\"{}", registers(&[("a", 0)]))).probe().await.unwrap_err();
    assert!(matches!(error, ProbeError::Own(_)), "{error}");
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_no_retry() {
    let units = Shared::default();
    units.lock().unwrap().set(1, 0, &[7]);
    let address = tcp(&units).await;
    let mut probe = probe(&format!("address = \"{address}\"\nretries = 0{}", registers(&[("a", 0)])));
    probe.probe().await.unwrap();
    // The unit hangs up on the next request of the kept connection, and is well again for the one after.
    units.lock().unwrap().moods.insert((1, 0), Mood::HangUp);
    let restored = Arc::clone(&units);
    let (reading, ()) = tokio::join!(probe.probe(), async move {
        while restored.lock().unwrap().asked.len() < 2 {
            tokio::task::yield_now().await;
        }
        restored.lock().unwrap().moods.clear();
    });
    assert_eq!(numbers(&reading.unwrap()), [("a", 7.0)]);
}

#[cfg(unix)]
mod on_a_bus {
    use std::fs::File;

    use tokio_serial::{SerialPort, SerialStream};

    use super::*;

    /// A pseudo-terminal whose far end is served by `units`. Its near end is held open, or the far end would end with its first user.
    #[expect(clippy::disallowed_methods, reason = "the peer of a test ends with its runtime")]
    fn bus(units: &Shared) -> (String, File) {
        let (far, near) = SerialStream::pair().unwrap();
        let path = near.name().unwrap();
        // The library's own handle would lock the port against the probe.
        let held = File::options().read(true).write(true).open(&path).unwrap();
        drop(near);
        tokio::spawn(rtu(far, Arc::clone(units)));
        (path, held)
    }

    #[tokio::test]
    async fn units_of_one_bus_are_read_in_turn_and_a_silent_one_leaves_the_others_alone() {
        let units = Shared::default();
        units.lock().unwrap().set(1, 0, &[11]);
        units.lock().unwrap().set(2, 0, &[22]);
        units.lock().unwrap().moods.insert((3, 0), Mood::Silent);
        let (path, _near) = bus(&units);
        let of = |unit: u8| {
            probe(&format!("serial = \"{path}\"\nunit = {unit}\nresponse_timeout_ms = 100{}", registers(&[("a", 0)])))
        };
        let (mut one, mut two, mut three) = (of(1), of(2), of(3));
        for _ in 0..3 {
            let (one, two, three) = tokio::join!(one.probe(), two.probe(), three.probe());
            assert_eq!(numbers(&one.unwrap()), [("a", 11.0)]);
            assert_eq!(numbers(&two.unwrap()), [("a", 22.0)]);
            assert!(matches!(three.unwrap_err(), ProbeError::Unreachable(_)));
        }
    }

    #[tokio::test]
    async fn a_probe_given_up_in_the_middle_leaves_the_bus_to_the_next() {
        let units = Shared::default();
        units.lock().unwrap().set(1, 0, &[11]);
        units.lock().unwrap().moods.insert((2, 0), Mood::Silent);
        let (path, _near) = bus(&units);
        let of = |unit: u8, patience: u64| {
            probe(&format!(
                "serial = \"{path}\"\nunit = {unit}\nresponse_timeout_ms = {patience}{}",
                registers(&[("a", 0)])
            ))
        };
        let (mut one, mut two) = (of(1, 1000), of(2, 200));
        let asked = Arc::clone(&units);
        tokio::select! {
            _ = two.probe() => panic!("a silent unit has no reading this soon"),
            () = async move { while asked.lock().unwrap().asked.is_empty() { tokio::task::yield_now().await } } => {}
        }
        assert_eq!(numbers(&one.probe().await.unwrap()), [("a", 11.0)]);
    }

    #[tokio::test]
    async fn a_port_that_is_not_there_is_our_own_trouble() {
        let mut probe = probe(&format!("serial = \"/dev/no-such-port\"{}", registers(&[("a", 0)])));
        let error = probe.probe().await.unwrap_err();
        assert!(matches!(&error, ProbeError::Own(text) if text.contains("/dev/no-such-port")), "{error}");
    }
}

#[rstest]
#[case::no_transport("preset = \"sdm120\"", "either `address`")]
#[case::two_transports("address = \"a\"\nserial = \"b\"\npreset = \"sdm120\"", "either `address`")]
#[case::baud_of_tcp("address = \"a\"\nbaud = 9600\npreset = \"sdm120\"", "`baud`")]
#[case::stop_bits("serial = \"a\"\nstop_bits = 3\npreset = \"sdm120\"", "`stop_bits`")]
#[case::unit("serial = \"b\"\nunit = 248\npreset = \"sdm120\"", "`unit`")]
#[case::nothing_to_read("address = \"a\"", "0 facts")]
#[case::renamed_nothing("address = \"a\"\npreset = \"sdm120\"\nrename = { watts = \"w\" }", "power_w")]
#[case::renamed_to_the_same(
    "address = \"a\"\npreset = \"sdm120\"\nrename = { power_w = \"current_a\" }\nonly_renamed = false",
    "current_a"
)]
#[case::patience("address = \"a\"\npreset = \"sdm120\"\nresponse_timeout_ms = 0", "response_timeout_ms")]
fn a_configuration_that_cannot_be_is_refused_with_its_reason(#[case] text: &str, #[case] says: &str) {
    let config: Config = toml::from_str(text).unwrap();
    let error = Modbus::new(config).err().expect("refused").to_string();
    assert!(error.contains(says), "{error}");
}
