//! How hot the processor is; without a sensor of its own, how hot the hottest part of the computer is.

use sysinfo::Components;

/// Words in the labels of sensors that sit in the processor, in lower case.
const PROCESSOR: [&str; 6] = ["coretemp", "k10temp", "zenpower", "cpu", "package", "tctl"];
/// What a sensor may say, in °C: one without a chip behind it says 0, one that is broken says anything.
const PLAUSIBLE: std::ops::Range<f64> = 1.0..120.0;

/// The sensors worth reading.
#[derive(Debug)]
pub(super) struct Thermometers {
    components: Components,
    chosen: Vec<usize>,
}

impl Thermometers {
    /// Looks for sensors once: they do not come and go.
    pub(super) fn find() -> Result<Self, sysinfo::Error> {
        let components = Components::new_with_refreshed_list()?;
        let labels: Vec<&str> = components.iter().map(sysinfo::Component::label).collect();
        let chosen = choose(&labels);
        Ok(Self { components, chosen })
    }

    /// The highest temperature, in °C.
    pub(super) fn hottest(&mut self) -> Option<f64> {
        let components = &mut self.components;
        let read = |&index: &usize| {
            let component = components.get_mut(index)?;
            component.refresh();
            component.temperature().map(f64::from).filter(|celsius| PLAUSIBLE.contains(celsius))
        };
        self.chosen.iter().filter_map(read).reduce(f64::max)
    }
}

/// The places of the processor's sensors, or of all if it has none.
fn choose(labels: &[&str]) -> Vec<usize> {
    let is_processor = |label: &str| {
        let label = label.to_lowercase();
        PROCESSOR.iter().any(|word| label.contains(word))
    };
    let own: Vec<usize> = (0..labels.len()).filter(|&index| is_processor(labels[index])).collect();
    if own.is_empty() { (0..labels.len()).collect() } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_sensors_go_before_those_of_disk_and_radio() {
        assert_eq!(choose(&["nvme Composite", "coretemp Package id 0", "iwlwifi_1 temp1"]), [1]);
        assert_eq!(choose(&["acpitz temp1", "nvme Composite"]), [0, 1]);
        assert!(choose(&[]).is_empty());
    }
}
