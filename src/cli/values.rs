//! What people write after a flag: durations, sizes, and the two flags with a small grammar of their own.

use std::net::IpAddr;

use heartline::liveness::MassSilence;
use heartline::reactor::Keepalive;
use ipnet::IpNet;

/// `35s`, `500ms`, `3m`, `1h30m`, or `0`: milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<u32, String> {
    if text == "0" {
        return Ok(0);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a number with its unit, such as 500ms, 35s or 3m, or 0"))?;
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err(format!("{text} is not a whole number of milliseconds, the smallest unit here"));
    }
    u32::try_from(duration.as_millis())
        .map_err(|_| format!("{text} is more than {} days, the limit", u32::MAX / 86_400_000))
}

/// `4096`, `64K`, `1M`, `2G`: bytes, K = 1024.
pub(crate) fn bytes(text: &str) -> Result<u32, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if factor > 0 => number
            .checked_mul(factor)
            .and_then(|bytes| u32::try_from(bytes).ok())
            .ok_or_else(|| format!("{text} is more than {} bytes, the limit", u32::MAX)),
        _ => Err("write a number of bytes, such as 4096, 64K or 1M (K = 1024)".to_owned()),
    }
}

/// `10.0.0.7` or `10.0.0.0/8`.
pub(crate) fn net(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "write an address or a network, such as 10.0.0.0/8".to_owned())
}

/// `60s,20s,3`: idle, interval, count.
pub(crate) fn keepalive(text: &str) -> Result<Keepalive, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [idle, interval, count] = parts[..] else {
        return Err("write IDLE,INTERVAL,COUNT, such as 60s,20s,3".to_owned());
    };
    Ok(Keepalive {
        idle_s: seconds("idle", idle, 32_767)?,
        interval_s: seconds("interval", interval, 32_767)?,
        count: match count.parse() {
            Ok(count @ 1..=127) => count,
            _ => return Err(format!("the count is {count}, but must be 1 to 127")),
        },
    })
}

/// Whole seconds within what the kernel takes.
fn seconds(name: &str, text: &str, most: u32) -> Result<u32, String> {
    let ms = duration_ms(text)?;
    if ms % 1000 != 0 || !(1..=most).contains(&(ms / 1000)) {
        return Err(format!("the {name} is {text}, but must be 1 to {most} whole seconds"));
    }
    Ok(ms / 1000)
}

/// `50/5s` or `50%/5s`.
pub(crate) fn mass_silence(text: &str) -> Result<MassSilence, String> {
    let Some((percent, window)) = text.split_once('/') else {
        return Err("write PERCENT/WINDOW, such as 50/5s".to_owned());
    };
    let percent = match percent.trim().trim_end_matches('%').parse() {
        Ok(percent @ 1..=100) => percent,
        _ => return Err(format!("the share is {percent}, but must be 1 to 100 percent")),
    };
    let window_ms = duration_ms(window.trim())?;
    if window_ms < 100 {
        return Err(format!("the window is {window}, but must be 100ms or more"));
    }
    Ok(MassSilence { percent, window_ms, ..MassSilence::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_and_others_refused() {
        assert_eq!(net("10.0.0.7").unwrap(), "10.0.0.7/32".parse().unwrap());
        assert_eq!(net("fd00::/8").unwrap(), "fd00::/8".parse().unwrap());
        for bad in ["10.0.0.0/33", "proxy", ""] {
            assert!(net(bad).unwrap_err().contains("10.0.0.0/8"), "{bad}");
        }
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(duration_ms("35s"), Ok(35_000));
        assert_eq!(duration_ms("500ms"), Ok(500));
        assert_eq!(duration_ms("3m"), Ok(180_000));
        assert_eq!(duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(duration_ms("0"), Ok(0));
    }

    #[test]
    fn a_duration_error_names_the_value_and_the_limit() {
        assert!(duration_ms("35").unwrap_err().contains("500ms, 35s or 3m"));
        assert!(duration_ms("-1s").is_err());
        assert!(duration_ms("").is_err());
        assert!(duration_ms("60d").unwrap_err().contains("49 days"));
        assert!(duration_ms("1us").unwrap_err().contains("milliseconds"));
    }

    #[test]
    fn sizes_count_in_1024() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("64K"), Ok(65_536));
        assert_eq!(bytes("1M"), Ok(1 << 20));
        assert!(bytes("4G").unwrap_err().contains("4294967295"));
        assert!(bytes("99999999999999999999K").is_err());
        assert!(bytes("K").is_err());
        assert!(bytes("1KB").is_err());
    }

    #[test]
    fn keepalive_names_what_is_out_of_bounds() {
        assert_eq!(keepalive("60s,20s,3"), Ok(Keepalive { idle_s: 60, interval_s: 20, count: 3 }));
        assert!(keepalive("60s,20s").unwrap_err().contains("IDLE,INTERVAL,COUNT"));
        assert!(keepalive("500ms,20s,3").unwrap_err().contains("the idle is 500ms"));
        assert!(keepalive("60s,20s,200").unwrap_err().contains("1 to 127"));
    }

    #[test]
    fn mass_silence_is_a_share_and_a_window() {
        let guard = mass_silence("60%/10s").unwrap();
        assert_eq!((guard.percent, guard.window_ms), (60, 10_000));
        assert!(mass_silence("0/5s").unwrap_err().contains("1 to 100"));
        assert!(mass_silence("50").unwrap_err().contains("PERCENT/WINDOW"));
        assert!(mass_silence("50/1ms").unwrap_err().contains("100ms"));
    }
}
