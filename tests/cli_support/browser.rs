//! A page as a browser shows it: headless Chromium, and the pixels of its picture.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a page looks like.
pub(crate) struct Picture {
    width: usize,
    /// Three bytes each.
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Opens `url` in a window of this size; the picture stays at `to`.
    pub(crate) fn take(url: &str, (width, height): (u32, u32), to: &Path) -> Self {
        let profile = to.with_extension("profile");
        let output = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--virtual-time-budget=2000"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--screenshot={}", to.display()))
            .arg(url)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("chromium: {error}; scripts/install-tools installs it"));
        let _ = std::fs::remove_dir_all(profile);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::read(to)
    }

    fn read(path: &Path) -> Self {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path).unwrap())).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let samples = frame.color_type.samples();
        assert!(samples >= 3, "{:?} is no colour", frame.color_type);
        let pixels = bytes[..frame.buffer_size()].chunks(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
        Self { width: frame.width as usize, pixels: pixels.collect() }
    }

    /// How many pixels have exactly this colour.
    pub(crate) fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    /// How many colours there are.
    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<HashSet<_>>().len()
    }

    /// How many lines of it are not of one colour.
    pub(crate) fn rows_with_something(&self) -> usize {
        self.pixels.chunks(self.width).filter(|row| row.iter().any(|pixel| pixel != &row[0])).count()
    }
}
