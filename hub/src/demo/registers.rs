//! The registers of one Modbus unit, as they stand at one moment.

use tokio_modbus::{ExceptionCode, Request, Response};

/// Most registers in one answer.
const MAX_WORDS: u16 = 125;
/// Most bits in one answer.
const MAX_BITS: u16 = 2000;

/// The four tables of a unit, each from address 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) coils: Vec<bool>,
    pub(super) discrete: Vec<bool>,
    pub(super) holding: Vec<u16>,
    pub(super) input: Vec<u16>,
}

/// A simulated device behind a Modbus gateway.
pub(super) trait Unit: Send + Sync {
    /// What stands in its registers now.
    fn registers(&self) -> Registers;
}

impl Registers {
    /// The answer to one request; the equipment cannot be written to.
    pub(super) fn answer(&self, request: &Request<'_>) -> Result<Response, ExceptionCode> {
        match *request {
            Request::ReadCoils(at, count) => part(&self.coils, at, count, MAX_BITS).map(Response::ReadCoils),
            Request::ReadDiscreteInputs(at, count) => {
                part(&self.discrete, at, count, MAX_BITS).map(Response::ReadDiscreteInputs)
            }
            Request::ReadHoldingRegisters(at, count) => {
                part(&self.holding, at, count, MAX_WORDS).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters(at, count) => {
                part(&self.input, at, count, MAX_WORDS).map(Response::ReadInputRegisters)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    /// Writes a real number into two input registers, the high one first; the table grows as needed.
    pub(super) fn set_real(&mut self, address: usize, value: f32) {
        let [a, b, c, d] = value.to_be_bytes();
        let words = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
        self.input.resize(self.input.len().max(address + words.len()), 0);
        self.input[address..address + words.len()].copy_from_slice(&words);
    }
}

fn part<T: Clone>(table: &[T], at: u16, count: u16, most: u16) -> Result<Vec<T>, ExceptionCode> {
    if count == 0 || count > most {
        return Err(ExceptionCode::IllegalDataValue);
    }
    let (at, count) = (usize::from(at), usize::from(count));
    table.get(at..at + count).map(<[T]>::to_vec).ok_or(ExceptionCode::IllegalDataAddress)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_request_gets_as_many_values_as_it_asks_for_or_an_exception(at: u16, near in 0_u16..12, count: u16, few in 0_u16..12) {
            let registers = Registers { holding: (0..10).collect(), ..Registers::default() };
            for (at, count) in [(at, count), (near, few), (near, count), (at, few)] {
                match registers.answer(&Request::ReadHoldingRegisters(at, count)) {
                    Ok(Response::ReadHoldingRegisters(words)) => {
                        prop_assert_eq!(words, (at..at + count).collect::<Vec<_>>());
                    }
                    Err(ExceptionCode::IllegalDataAddress) => prop_assert!(u32::from(at) + u32::from(count) > 10),
                    other => prop_assert!(other == Err(ExceptionCode::IllegalDataValue) && (count == 0 || count > 125)),
                }
            }
        }
    }

    #[test]
    fn a_real_number_stands_in_two_registers_high_first() {
        let mut registers = Registers::default();
        registers.set_real(2, 138.4);
        assert_eq!(registers.input, [0, 0, 0x430A, 0x6666]);
    }

    #[test]
    fn writing_is_refused() {
        let answer = Registers::default().answer(&Request::WriteSingleRegister(0, 1));
        assert_eq!(answer, Err(ExceptionCode::IllegalFunction));
    }
}
