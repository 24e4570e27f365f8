//! Made-up input: the same on every run.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Fallible;

/// Xorshift: fast, and no compressor or deduplicator finds anything in it.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
    }
}

/// Writes a file of `len` bytes of noise.
pub fn noise_file(path: &Path, len: u64) -> Fallible<()> {
    let mut file = File::create(path)?;
    let mut noise = Noise::new(len);
    let mut buffer = vec![0; 1 << 20];
    let mut left = len;
    while left > 0 {
        noise.fill(&mut buffer);
        let part = left.min(buffer.len() as u64) as usize;
        file.write_all(&buffer[..part])?;
        left -= part as u64;
    }
    file.sync_all()?;
    Ok(())
}

/// A FHIR observation of about 4 KiB.
pub fn resource(number: usize) -> Vec<u8> {
    let mut noise = Noise::new(number as u64 + 1);
    let components: Vec<serde_json::Value> = (0..10)
        .map(|_| {
            serde_json::json!({
                "code": { "coding": [{
                    "system": "http://loinc.org",
                    "code": format!("{}-{}", noise.next() % 90_000, noise.next() % 10),
                    "display": format!("Component {:016x}", noise.next()),
                }] },
                "valueQuantity": {
                    "value": (noise.next() % 100_000) as f64 / 100.0,
                    "unit": "mg/dL",
                    "system": "http://unitsofmeasure.org",
                    "code": "mg/dL",
                },
            })
        })
        .collect();
    let resource = serde_json::json!({
        "resourceType": "Observation",
        "id": format!("observation-{number:06}-{:016x}", noise.next()),
        "status": "final",
        "category": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "laboratory",
        }] }],
        "code": { "text": format!("Panel {}", number % 200) },
        "subject": { "reference": "Patient/example" },
        "effectiveDateTime":
            format!("20{:02}-{:02}-{:02}", number % 25, number % 12 + 1, number % 28 + 1),
        "note": [{ "text": format!("{:016x}{:016x}", noise.next(), noise.next()) }],
        "component": components,
    });
    serde_json::to_vec_pretty(&resource).unwrap_or_default()
}

/// Writes `count` resources into a new folder and returns their paths and total length.
pub fn resource_files(dir: &Path, count: usize) -> Fallible<(Vec<PathBuf>, u64)> {
    std::fs::create_dir(dir)?;
    let mut len = 0;
    let mut paths = Vec::with_capacity(count);
    for number in 0..count {
        let bytes = resource(number);
        len += bytes.len() as u64;
        let path = dir.join(format!("{number:06}.json"));
        std::fs::write(&path, bytes)?;
        paths.push(path);
    }
    Ok((paths, len))
}
