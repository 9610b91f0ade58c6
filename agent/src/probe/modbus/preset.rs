//! Registers of devices that are often met, so that a configuration only names the device.

use serde::Deserialize;

use super::{
    counter::CounterConfig,
    register::{Function, Kind, Register, WordOrder},
};

/// A device whose registers are known. Addresses are those of the makers' manuals, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// EBYTE ME31-AXXX8000: inputs `di1` to `di8` and their pulse counters `count1` to `count8`.
    ///
    /// It clears its counters on each read unless told otherwise: write 1 to holding registers 0x0A43 to 0x0A4A once.
    EbyteMe31,
    /// Advantech ADAM-6050: inputs `di0` to `di11` and their counters `count0` to `count11`, for channels set to count.
    #[serde(rename = "adam-6050")]
    Adam6050,
    /// Eastron SDM120: `voltage_v`, `current_a`, `power_w`, `power_factor`, `frequency_hz`, `energy_kwh` (imported).
    Sdm120,
    /// Chint DDSU666: as the SDM120.
    Ddsu666,
}

impl Preset {
    /// The device's registers.
    pub(super) fn registers(self) -> Vec<Register> {
        match self {
            Self::EbyteMe31 => {
                let inputs = (0..8).map(|n| register(&format!("di{}", n + 1), Function::Discrete, n, Kind::Bit));
                let counts = (0..8).map(|n| Register {
                    counter: Some(CounterConfig { bits: 16 }),
                    ..register(&format!("count{}", n + 1), Function::Holding, 0x09DF + n, Kind::U16)
                });
                inputs.chain(counts).collect()
            }
            Self::Adam6050 => {
                // The maker lists the inputs among the coils, from 00001.
                let inputs = (0..12).map(|n| register(&format!("di{n}"), Function::Coil, n, Kind::Bit));
                let counts = (0..12).map(|n| Register {
                    counter: Some(CounterConfig { bits: 32 }),
                    word_order: WordOrder::LowFirst,
                    ..register(&format!("count{n}"), Function::Holding, 2 * n, Kind::U32)
                });
                inputs.chain(counts).collect()
            }
            Self::Sdm120 => meter(Function::Input, [0x0000, 0x0006, 0x000C, 0x001E, 0x0046, 0x0048], 1.0),
            Self::Ddsu666 => meter(Function::Holding, [0x2000, 0x2002, 0x2004, 0x200A, 0x200E, 0x4000], 1000.0),
        }
    }
}

fn register(fact: &str, function: Function, address: u16, kind: Kind) -> Register {
    Register {
        fact: fact.into(),
        function,
        address,
        count: None,
        kind: Some(kind),
        word_order: WordOrder::HighFirst,
        bit: None,
        invert: false,
        scale: 1.0,
        offset: 0.0,
        decimals: None,
        counter: None,
        map: std::collections::BTreeMap::new(),
        fault_code: false,
    }
}

/// An energy meter: all values are real numbers, rounded to what the meter resolves. `power` brings its power to watts.
fn meter(function: Function, addresses: [u16; 6], power: f64) -> Vec<Register> {
    let facts = [
        ("voltage_v", 1),
        ("current_a", 3),
        ("power_w", 1),
        ("power_factor", 3),
        ("frequency_hz", 2),
        ("energy_kwh", 3),
    ];
    let values = facts.into_iter().zip(addresses);
    values
        .map(|((fact, decimals), address)| Register {
            decimals: Some(decimals),
            scale: if fact == "power_w" { power } else { 1.0 },
            ..register(fact, function, address, Kind::F32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::plan, *};
    use crate::probe::modbus::register::Point;

    #[rstest]
    #[case::ebyte("ebyte-me31", 16, 2)]
    #[case::adam("adam-6050", 24, 2)]
    #[case::sdm120("sdm120", 6, 3)]
    #[case::ddsu666("ddsu666", 6, 2)]
    fn the_registers_of_each_device_are_sound_and_read_in_few_requests(
        #[case] name: &str,
        #[case] registers: usize,
        #[case] requests: usize,
    ) {
        #[derive(Deserialize)]
        struct Named {
            preset: Preset,
        }
        let named: Named = toml::from_str(&format!("preset = \"{name}\"")).unwrap();
        let points = named.preset.registers().into_iter().map(Point::new).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(points.len(), registers);
        let extents = points.iter().map(Point::extent).collect::<Vec<_>>();
        assert_eq!(plan::plan(&extents).len(), requests);
    }
}
