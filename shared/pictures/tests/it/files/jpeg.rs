//! A JPEG writer for tests: blocks of one colour each, stored exactly, in every colour model. Encoders of crates write
//! neither CMYK and YCCK nor progressive files.

/// A JPEG to be written. Each block of 8 x 8 pixels has one value per component.
pub struct Jpeg {
    pub width: u16,
    pub height: u16,
    /// Value of a component in the block of a column and row.
    pub value: fn(component: usize, column: usize, row: usize) -> u8,
    pub components: u8,
    /// The colour transform in the segment that Adobe's programs write.
    pub adobe: Option<u8>,
    pub progressive: bool,
    /// Marker and content of further segments.
    pub segments: Vec<(u8, Vec<u8>)>,
}

impl Jpeg {
    /// A baseline file of a few components.
    pub fn new(width: u16, height: u16, components: u8, value: fn(usize, usize, usize) -> u8) -> Self {
        Self { width, height, value, components, adobe: None, progressive: false, segments: Vec::new() }
    }

    pub fn with_exif(mut self, exif: &[u8]) -> Self {
        self.segments.push((0xE1, [b"Exif\0\0", exif].concat()));
        self
    }

    pub fn with_profile(mut self, profile: &[u8]) -> Self {
        self.segments.push((0xE2, [b"ICC_PROFILE\0\x01\x01", profile].concat()));
        self
    }

    pub fn with_xmp(mut self) -> Self {
        self.segments.push((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>".to_vec()));
        self
    }

    pub fn with_adobe(mut self, transform: u8) -> Self {
        self.adobe = Some(transform);
        self
    }

    pub fn write(&self) -> Vec<u8> {
        let mut file = self.write_headers();
        file.extend(self.entropy_coded());
        file.extend([0xFF, 0xD9]);
        file
    }

    /// A file without pixels: its header announces them.
    pub fn write_header_only(&self) -> Vec<u8> {
        let mut file = self.write_headers();
        file.extend([0xFF, 0xD9]);
        file
    }

    fn write_headers(&self) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8];
        for (marker, content) in &self.segments {
            segment(&mut file, *marker, content);
        }
        if let Some(transform) = self.adobe {
            segment(&mut file, 0xEE, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat());
        }
        // Quantisation by 1: nothing is lost.
        segment(&mut file, 0xDB, &[&[0][..], &[1; 64]].concat());
        segment(&mut file, if self.progressive { 0xC2 } else { 0xC0 }, &self.frame());
        // Differences of 0 to 11 bits, each with a code of four bits; no coefficients but the mean.
        segment(&mut file, 0xC4, &[&[0x00, 0, 0, 0, 12][..], &[0; 12], &(0..12).collect::<Vec<u8>>()].concat());
        segment(&mut file, 0xC4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
        segment(&mut file, 0xDA, &self.scan());
        file
    }

    fn frame(&self) -> Vec<u8> {
        let [h0, h1] = self.height.to_be_bytes();
        let [w0, w1] = self.width.to_be_bytes();
        let mut frame = vec![8, h0, h1, w0, w1, self.components];
        frame.extend((1..=self.components).flat_map(|component| [component, 0x11, 0]));
        frame
    }

    fn scan(&self) -> Vec<u8> {
        let mut scan = vec![self.components];
        scan.extend((1..=self.components).flat_map(|component| [component, 0]));
        // A progressive scan of the means alone, or all coefficients.
        scan.extend([0, if self.progressive { 0 } else { 63 }, 0]);
        scan
    }

    fn entropy_coded(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        let mut previous = vec![0; usize::from(self.components)];
        for row in 0..usize::from(self.height).div_ceil(8) {
            for column in 0..usize::from(self.width).div_ceil(8) {
                for (component, previous) in previous.iter_mut().enumerate() {
                    let mean = 8 * (i32::from((self.value)(component, column, row)) - 128);
                    bits.push_difference(mean - *previous);
                    *previous = mean;
                    if !self.progressive {
                        bits.push(0, 1);
                    }
                }
            }
        }
        bits.finish()
    }
}

fn segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend(u16::try_from(content.len() + 2).expect("a short segment").to_be_bytes());
    file.extend(content);
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    /// The number of bits as a code, then the bits; a negative difference is stored less one.
    fn push_difference(&mut self, difference: i32) {
        let length = 32 - difference.unsigned_abs().leading_zeros();
        self.push(length, 4);
        let stored = if difference < 0 { difference - 1 } else { difference };
        self.push(stored.cast_unsigned() & ((1 << length) - 1), length);
    }

    fn push(&mut self, value: u32, count: u32) {
        self.pending = self.pending << count | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count & 0xFF) as u8;
            self.bytes.push(byte);
            if byte == 0xFF {
                self.bytes.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.push(0x7F, 7);
        self.bytes
    }
}
