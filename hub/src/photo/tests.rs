//! Files as people and attackers make them.

use image::{ImageEncoder, RgbImage, codecs::png::PngEncoder};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn picture(width: u32, height: u32) -> DynamicImage {
    let (w, h) = (width.max(2) - 1, height.max(2) - 1);
    let shade = |part: u32, of: u32| u8::try_from(part * 255 / of).expect("a part of a byte");
    RgbImage::from_fn(width, height, |x, y| image::Rgb([shade(x, w), shade(y, h), 128])).into()
}

fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("an image in memory can be written");
    bytes.into_inner()
}

/// A JPEG with what cameras write into it: how the phone was held, and a text.
fn with_exif(orientation: u8, text: &str) -> Vec<u8> {
    let jpeg = file(&picture(40, 20), ImageFormat::Jpeg);
    // Big-endian TIFF: one entry of tag 0x0112 (orientation), then the text, where a comment or a position could stand.
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    exif.extend(text.as_bytes());
    let length = u16::try_from(exif.len() + 2).expect("a short segment").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    };
    (!bytes.iter().fold(!0, step)).to_be_bytes()
}

/// A PNG that says of itself that it is so large.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let mut png = file(&picture(8, 8), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc(&png[12..29]);
    png[29..33].copy_from_slice(&crc);
    png
}

#[rstest]
#[case::jpeg(ImageFormat::Jpeg)]
#[case::png(ImageFormat::Png)]
#[case::webp(ImageFormat::WebP)]
fn a_photo_is_made_small_and_written_anew_as_jpeg(#[case] format: ImageFormat) {
    let Photo { jpeg, small, width, height } = read(&file(&picture(2000, 1000), format)).unwrap();
    assert_eq!((width, height), (1600, 800));
    let listed = image::load_from_memory_with_format(&small, ImageFormat::Jpeg).unwrap();
    assert_eq!((listed.width(), listed.height()), (160, 80));
    assert!(small.len() < 8 * 1024, "{} bytes", small.len());
    assert_eq!(image::guess_format(&jpeg).unwrap(), ImageFormat::Jpeg);
    let small = read(&file(&picture(30, 40), format)).unwrap();
    assert_eq!((small.width, small.height), (30, 40), "none is made larger");
}

#[test]
fn what_a_camera_writes_into_a_photo_is_gone_and_it_stands_upright() {
    let marker = "GPS 30.2741N 120.1551E <script>alert(1)</script>";
    let sent = with_exif(6, marker);
    assert!(sent.windows(marker.len()).any(|part| part == marker.as_bytes()));
    let Photo { jpeg, small, width, height } = read(&sent).unwrap();
    let listed = image::load_from_memory(&small).unwrap();
    assert_eq!((listed.width(), listed.height()), (20, 40), "none is made larger, and it stands upright too");
    assert_eq!((width, height), (20, 40), "held upright, it lies on its side in the file");
    for part in [marker.as_bytes(), b"Exif", b"GPS"] {
        assert!([&jpeg, &small].iter().all(|file| !file.windows(part.len()).any(|window| window == part)));
    }
}

#[test]
fn what_stands_behind_a_photo_does_not_come_along() {
    let behind = b"<html><script>alert(1)</script>PK\x03\x04";
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let sent = [file(&picture(40, 20), format).as_slice(), behind].concat();
        if let Ok(photo) = read(&sent) {
            assert!(!photo.jpeg.windows(8).any(|window| window == b"<script>"), "{format:?}");
        }
    }
}

#[rstest]
#[case::svg(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")]
#[case::svg_with_head(b"<?xml version='1.0'?><svg/>")]
#[case::heic(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")]
#[case::gif(b"GIF89a\x01\0\x01\0\0\0\0;")]
#[case::html(b"<!doctype html><script>alert(1)</script>")]
#[case::pdf(b"%PDF-1.7")]
#[case::tiff(b"II*\0\x08\0\0\0")]
#[case::nothing(b"")]
fn another_kind_of_file_is_refused_whatever_it_is_called(#[case] file: &[u8]) {
    assert_eq!(read(file), Err(PhotoError::Kind));
}

#[test]
fn a_photo_that_is_cut_off_is_refused_or_shows_what_is_there() {
    let jpeg = file(&picture(200, 100), ImageFormat::Jpeg);
    for end in (0..jpeg.len()).step_by(97) {
        match read(&jpeg[..end]) {
            Ok(photo) => assert_eq!((photo.width, photo.height), (200, 100)),
            Err(error) => assert!(matches!(error, PhotoError::Broken | PhotoError::Kind), "{error}"),
        }
    }
    let png = file(&picture(200, 100), ImageFormat::Png);
    assert_eq!(read(&png[..png.len() / 2]), Err(PhotoError::Broken));
}

#[rstest]
#[case::by_its_own_word(claims(60_000, 60_000))]
#[case::just_too_many(claims(6_000, 4_001))]
#[case::as_far_as_a_png_can_say(claims(i32::MAX.cast_unsigned(), i32::MAX.cast_unsigned()))]
fn a_photo_that_would_fill_the_memory_is_refused_before_it_is_decoded(#[case] bomb: Vec<u8>) {
    assert!(bomb.len() < 1000);
    assert_eq!(read(&bomb), Err(PhotoError::TooManyPixels));
}

#[test]
fn a_bomb_that_keeps_its_word_is_refused_too() {
    // 36 million pixels of one colour, in a few kilobytes.
    let (mut png, side) = (Vec::new(), 6000);
    let pixels = vec![0; 6000 * 6000];
    PngEncoder::new(&mut png).write_image(&pixels, side, side, image::ExtendedColorType::L8).unwrap();
    assert!(png.len() < 200_000, "{}", png.len());
    assert_eq!(read(&png), Err(PhotoError::TooManyPixels));
}

#[test]
fn a_file_that_is_too_large_is_not_looked_at() {
    let mut large = file(&picture(20, 20), ImageFormat::Jpeg);
    large.resize(LARGEST + 1, 0);
    assert_eq!(read(&large), Err(PhotoError::TooLarge));
}

#[test]
fn what_is_long_and_thin_keeps_a_small_file_too() {
    for (width, height, side) in [(1600, 2, (160, 1)), (3, 1200, (1, 160)), (160, 160, (160, 160))] {
        let small = read(&file(&picture(width, height), ImageFormat::Png)).unwrap().small;
        let listed = image::load_from_memory(&small).unwrap();
        assert_eq!((listed.width(), listed.height()), side);
    }
}

#[tokio::test]
async fn photos_are_decoded_off_the_threads_that_answer_two_at_a_time() {
    let photos = Photos::default();
    let sent = Bytes::from(file(&picture(300, 200), ImageFormat::Jpeg));
    let held = Arc::clone(&photos.0).acquire_many_owned(2).await.unwrap();
    let waiting = photos.read(sent.clone());
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending(), "both turns are taken");
    drop(held);
    assert_eq!(waiting.await.unwrap().width, 300);
    assert_eq!(photos.0.available_permits(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_file_brings_the_hub_down(start in 0..3usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let format = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP][start];
        let mut bytes = file(&picture(24, 16), format);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Ok(photo) = read(&bytes) {
            prop_assert_eq!(image::guess_format(&photo.jpeg).unwrap(), ImageFormat::Jpeg);
        }
    }
}
