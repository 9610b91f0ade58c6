//! Photos that people send: read by a decoder, made small, and written anew, so that nothing of the file itself is kept: no metadata,
//! such as where it was taken, and nothing that could be taken for another kind of file.

use std::{io::Cursor, sync::Arc};

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, codecs::jpeg::JpegEncoder,
    metadata::Orientation,
};
use tokio::{sync::Semaphore, task};

/// The largest file, in bytes.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// The most pixels.
const MOST_PIXELS: u64 = 24_000_000;
/// The most memory for what is decoded, in bytes: four for each pixel, and some more for a decoder's own.
const MOST_MEMORY: u64 = 128 * 1024 * 1024;
/// The longer side of what is kept, in pixels.
const SIDE: u32 = 1600;
/// The quality of what is kept, of 100.
const QUALITY: u8 = 80;
/// The longer side of what lists show, in pixels: 80 or less of a page, at twice the density.
const SMALL_SIDE: u32 = 160;
/// The quality of what lists show, of 100.
const SMALL_QUALITY: u8 = 70;
/// So many photos are decoded at once.
const AT_ONCE: usize = 2;
/// The most photos of one ticket.
pub const MOST: usize = 6;

/// A photo as it is kept: a JPEG made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The file.
    pub jpeg: Vec<u8>,
    /// The same, small enough for a list: a JPEG too. Nothing of one that was kept without.
    pub small: Vec<u8>,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

impl Photo {
    /// Its small file, if it has one.
    pub fn listed(&self) -> Option<&[u8]> {
        Some(&*self.small).filter(|small| !small.is_empty())
    }
}

/// Why a photo was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// Too many bytes.
    #[error("a photo has at most 8 MiB: send a smaller one")]
    TooLarge,
    /// Too many pixels, or more memory than is given.
    #[error("a photo has at most 24 million pixels: send a smaller one")]
    TooManyPixels,
    /// Another kind of file.
    #[error(
        "a photo is a JPEG, PNG or WebP file; this is none: iPhones send JPEG if the camera is set to `Most Compatible`"
    )]
    Kind,
    /// The file is damaged.
    #[error("the photo cannot be read: it may be damaged or cut off")]
    Broken,
    /// There are enough.
    #[error("a ticket has at most 6 photos")]
    TooMany,
}

/// Reads photos, a few at a time.
#[derive(Debug)]
pub struct Photos(Arc<Semaphore>);

impl Default for Photos {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Photos {
    /// Makes a photo of a file.
    ///
    /// # Errors
    ///
    /// If it is none that is taken.
    pub async fn read(&self, file: Bytes) -> Result<Photo, PhotoError> {
        self.in_turn(move || read(&file)).await
    }

    /// Makes the small file of a photo that was kept without one.
    ///
    /// # Errors
    ///
    /// If what is kept cannot be read.
    pub async fn small(&self, jpeg: Vec<u8>) -> Result<Vec<u8>, PhotoError> {
        self.in_turn(move || small(&decoded(&jpeg)?)).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PhotoError> + Send + 'static,
    ) -> Result<T, PhotoError> {
        let turn = Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed");
        let reading = task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        // A decoder that panics has met a file that it cannot read.
        reading.await.unwrap_or(Err(PhotoError::Broken))
    }
}

fn read(file: &[u8]) -> Result<Photo, PhotoError> {
    let image = decoded(file)?;
    Ok(Photo { jpeg: jpeg(&image, QUALITY)?, small: small(&image)?, width: image.width(), height: image.height() })
}

fn jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, PhotoError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(image).map_err(|_| PhotoError::Broken)?;
    Ok(jpeg)
}

fn small(image: &RgbImage) -> Result<Vec<u8>, PhotoError> {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    if longest <= SMALL_SIDE {
        return jpeg(image, SMALL_QUALITY);
    }
    let side = |of: u32| (u64::from(of) * u64::from(SMALL_SIDE) / u64::from(longest)).max(1);
    let side = |of: u32| u32::try_from(side(of)).unwrap_or(SMALL_SIDE);
    jpeg(&image::imageops::thumbnail(image, side(width), side(height)), SMALL_QUALITY)
}

/// What a file shows, upright, and no larger than what is kept.
fn decoded(file: &[u8]) -> Result<RgbImage, PhotoError> {
    if file.len() > LARGEST {
        return Err(PhotoError::TooLarge);
    }
    // By what the file begins with: its name and what the browser calls it prove nothing.
    let format = image::guess_format(file).map_err(|_| PhotoError::Kind)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(PhotoError::Kind);
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_MEMORY {
        return Err(PhotoError::TooManyPixels);
    }
    // What is told of it by metadata alone would be lost with them.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if width > SIDE || height > SIDE {
        image = image.thumbnail(SIDE, SIDE);
    }
    image.apply_orientation(turned);
    Ok(image.into_rgb8())
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn refused(error: image::ImageError) -> PhotoError {
    match error {
        image::ImageError::Limits(_) => PhotoError::TooManyPixels,
        image::ImageError::Unsupported(_) => PhotoError::Kind,
        _ => PhotoError::Broken,
    }
}

#[cfg(test)]
mod tests;
