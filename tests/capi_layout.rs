//! Every struct has the same layout on both sides, and no hole in it (rules A7, A8): offsets and sizes as Rust has them
//! become assertions that the C and C++ compilers check.

mod capi_support;

use std::fmt::Write;
use std::fs;
use std::mem::offset_of;
use std::process::Command;

use capi_support::process::outcome;
use capi_support::{root, scratch};
use heartline::capi::{codec::*, monitor::*, policy::*, reactor::*};

/// Struct, its size, and of each field name, offset and size.
type Layout = (&'static str, usize, Vec<(&'static str, usize, usize)>);

macro_rules! layouts {
    ($($name:ident { $($field:ident)* })*) => {
        vec![$(
            (stringify!($name), size_of::<$name>(), vec![$({
                // SAFETY: numbers and pointers that may be NULL.
                #[allow(unsafe_code)]
                let value: $name = unsafe { std::mem::zeroed() };
                (stringify!($field), offset_of!($name, $field), size_of_val(&value.$field))
            }),*]),
        )*]
    };
}

fn layouts() -> Vec<Layout> {
    layouts! {
        heartline_policy {
            struct_size role interval_ms suspect_ms timeout_ms jitter_percent rtt_every_ms after_first_frame
        }
        heartline_monitor_config {
            struct_size granularity_ms seed mass_silence_percent mass_silence_window_ms mass_silence_hold_ms
            mass_silence_peers_min tells_sends reserved
        }
        heartline_verdict { peer user silence_ms overshoot_ms kind unanswered reserved }
        heartline_peer_info { struct_size silence_ms user rtt_ms unanswered policy suspect dead paused }
        heartline_monitor_stats {
            struct_size silence_longest_ms peers asks answers owed suspects revived dead stalls stalled_ms silences
            silence_p99_ms silence_p9999_ms
        }
        heartline_codec_config {
            struct_size kind max_bytes field_bytes little_endian field_at head_bytes adjust includes_head record_bytes
            delimiter_bytes delimiter key ask answer
        }
        heartline_stream { opaque }
        heartline_frame { data len head head_len kind total }
        heartline_slice { data len }
        heartline_codec_ops { struct_size reserved name cut encode ask answer drop }
        heartline_reactor_config {
            struct_size statistics seed granularity_ms verdicts_per_turn mass_silence_percent mass_silence_window_ms
            mass_silence_hold_ms mass_silence_peers_min autopsy_ms connections_max mailbox_max reserved
            partial_bytes_max outbox_bytes_max batch_bytes log log_context reserved_pointers
        }
        heartline_options {
            struct_size policy nodelay keepalive_idle_s keepalive_interval_s keepalive_count user_timeout_ms
            send_buffer_bytes receive_buffer_bytes high_bytes low_bytes when_full first_frame_ms frame_ms output_ms
            connect_ms close_ms half_open deliver_beats health_check_ms
        }
        heartline_listen_options {
            struct_size backlog reuse_port per_address_max accepts_per_second reserved connection
        }
        heartline_released { fd unanswered user unread unread_len unsent unsent_len }
        heartline_drain_options { struct_size code spread_ms limit_ms farewell farewell_len }
        heartline_event {
            id user data len head_len kind flags reason listener os_error silence_ms rtt_ms queued_bytes detail reserved
        }
        heartline_connection_info {
            struct_size silence_ms user queued_bytes unread_bytes rtt_ms unanswered policy suspect paused closing
            dialling reserved address
        }
        heartline_obituary {
            struct_size reason id user closed_by os_error age_ms last_out_ms silence_ms overshoot_ms unanswered rtt_ms
            bytes_in bytes_out messages_in messages_out queued_bytes stalls tcp tcp_rtt_us tcp_rto_us tcp_retransmits
            tcp_unacknowledged address why
        }
    }
}

#[test]
fn no_struct_has_a_hole() {
    for (name, size, fields) in layouts() {
        let mut at = 0;
        for (field, offset, bytes) in fields {
            assert_eq!(offset, at, "{name}.{field} is not where its neighbour ends");
            at += bytes;
        }
        assert_eq!(at, size, "{name} has bytes without a name at its end");
    }
    assert_eq!((size_of::<heartline_event>(), size_of::<heartline_verdict>()), (64, 32));
}

#[test]
fn no_struct_is_forgotten() {
    let header = fs::read_to_string(root().join("include/heartline.h")).unwrap();
    let mut declared: Vec<&str> =
        header.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(" {")).collect();
    let mut known: Vec<&str> = layouts().iter().map(|(name, ..)| *name).collect();
    declared.sort_unstable();
    known.sort_unstable();
    assert_eq!(declared, known);
}

#[test]
fn c_and_cpp_lay_every_struct_out_as_rust_does() {
    let mut text = String::from("#include <heartline.h>\n");
    let mut count = 0;
    let mut claim = |what: String| {
        writeln!(text, "typedef char claim_{count}[({what}) ? 1 : -1];").unwrap();
        count += 1;
    };
    for (name, size, fields) in layouts() {
        claim(format!("sizeof(struct {name}) == {size}"));
        for (field, offset, bytes) in fields {
            claim(format!("offsetof(struct {name}, {field}) == {offset}"));
            claim(format!("sizeof(((struct {name} *)0)->{field}) == {bytes}"));
        }
    }
    let file = scratch("layout.c");
    fs::write(&file, text).unwrap();
    for compiler in [
        &["gcc", "-std=c99"][..],
        &["clang", "-std=c99"],
        &["g++", "-std=c++11", "-x", "c++"],
        &["clang++", "-std=c++11", "-x", "c++"],
    ] {
        let mut command = Command::new(compiler[0]);
        command.args(&compiler[1..]).args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I"]);
        let (status, output) = outcome(command.arg(root().join("include")).arg(&file));
        assert!(status.success(), "{compiler:?}: {status}\n{output}");
    }
}
