//! Numbers drawn from the seed. Each part of the simulation has dice of its own, so that cutting one part away leaves
//! what the others draw as it was.

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of one part, with a number where there are several.
    pub fn new(seed: u64, part: &str, number: u64) -> Self {
        let named = part
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut dice = Self(seed ^ named.rotate_left(17) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.draw();
        dice
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// 0 up to, not including, `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.draw() % limit }
    }

    /// `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Between `low` and `high`, each power of two as likely as the next.
    pub fn spread(&mut self, low: u64, high: u64) -> u64 {
        let (from, to) = ((low.max(1) as f64).ln(), (high.max(1) as f64).ln());
        let at = from + (to - from) * self.share();
        (at.exp() as u64).clamp(low, high)
    }

    /// True in this share of the cases.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.share() < share
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// How long until something that happens on average every `mean`: between nothing and four times that.
    pub fn wait(&mut self, mean: u64) -> u64 {
        let share = self.share().max(1e-9);
        ((-share.ln()).min(4.0) * mean as f64) as u64
    }

    fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
