/* Posted pictures: what they show, and what of them is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>
#include <turbojpeg.h>
#include <zlib.h>

#include "image.h"

#define SIDE 100000 /* never scaled down */

static char reason[256];

/* ---- making pictures ---- */

/* Left half red, right half blue. */
static unsigned char *
make_jpeg(int width, int height, int subsampling, int flags, unsigned long *length)
{
	unsigned char *pixels = malloc((size_t) width * height * 3);
	unsigned char *jpeg = NULL;
	tjhandle compressor = tjInitCompress();

	for (int i = 0; i < width * height; i++)
	{
		bool left = i % width < width / 2;

		pixels[i * 3] = left ? 255 : 0;
		pixels[i * 3 + 1] = 0;
		pixels[i * 3 + 2] = left ? 0 : 255;
	}
	assert_int_equal(tjCompress2(compressor, pixels, width, 0, height, TJPF_RGB, &jpeg, length,
								 subsampling, 90, flags),
					 0);
	tjDestroy(compressor);
	free(pixels);
	return jpeg;
}

typedef struct Bytes
{
	unsigned char *data;
	size_t length;
} Bytes;

static void
append(Bytes *bytes, const void *data, size_t length)
{
	bytes->data = realloc(bytes->data, bytes->length + length);
	memcpy(bytes->data + bytes->length, data, length);
	bytes->length += length;
}

static void
put32(unsigned char *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char) (value >> (24 - 8 * i));
}

static void
append_chunk(Bytes *png, const char *type, const void *data, uint32_t length)
{
	unsigned char number[4];
	uint32_t sum = (uint32_t) crc32(crc32(0, (const Bytef *) type, 4), data, length);

	put32(number, length);
	append(png, number, 4);
	append(png, type, 4);
	append(png, data, length);
	put32(number, sum);
	append(png, number, 4);
}

/* Signature and header of an RGB picture. */
static Bytes
begin_png(uint32_t width, uint32_t height)
{
	Bytes png = {NULL, 0};
	unsigned char header[13] = {0};

	put32(header, width);
	put32(header + 4, height);
	header[8] = 8; /* bits */
	header[9] = 2; /* RGB */
	append(&png, "\x89PNG\r\n\x1a\n", 8);
	append_chunk(&png, "IHDR", header, sizeof(header));
	return png;
}

/* `size` bytes, all the same, deflated. */
static void
append_deflated(Bytes *png, const char *type, const char *prefix, size_t nprefix, int value,
				size_t size)
{
	unsigned char *plain = malloc(size);
	uLongf length = compressBound(size);
	unsigned char *packed = malloc(nprefix + length);

	memset(plain, value, size);
	memcpy(packed, prefix, nprefix);
	assert_int_equal(compress2(packed + nprefix, &length, plain, size, 9), Z_OK);
	append_chunk(png, type, packed, (uint32_t) (nprefix + length));
	free(plain);
	free(packed);
}

/* One colour; a row is a filter byte (0) and three bytes a pixel. */
static void
append_pixels(Bytes *png, int width, int height)
{
	append_deflated(png, "IDAT", "", 0, 0, (size_t) (width * 3 + 1) * height);
}

static ImageResult
decode(const void *data, size_t length, int side, AVFrame **frame, ImageInfo *info)
{
	/* Of exactly this size, so that a sanitizer sees a byte too many. */
	unsigned char *copy = malloc(length > 0 ? length : 1);
	ImageResult result;

	memcpy(copy, data, length);
	reason[0] = '\0';
	result = image_decode(copy, length, side, frame, info, reason, sizeof(reason));
	free(copy);
	if (result == IMAGE_OK)
		assert_non_null(*frame);
	else
	{
		assert_null(*frame);
		assert_int_not_equal(reason[0], '\0');
	}
	return result;
}

/* ---- what is read ---- */

static void
reads_every_subsampling(void **state)
{
	static const int all[] = {TJSAMP_444, TJSAMP_422, TJSAMP_420, TJSAMP_440, TJSAMP_411};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		unsigned long length = 0;
		unsigned char *jpeg = make_jpeg(65, 47, all[i], 0, &length);
		AVFrame *frame;
		ImageInfo info;

		assert_int_equal(decode(jpeg, length, SIDE, &frame, &info), IMAGE_OK);
		assert_int_equal(info.width, 65);
		assert_int_equal(info.height, 47);
		assert_int_equal(frame->width, 65);
		assert_int_equal(frame->height, 47);
		/* Red is lighter than blue: 76 and 29 in full-range BT.601. */
		assert_in_range(frame->data[0][20 * frame->linesize[0] + 8], 70, 82);
		assert_in_range(frame->data[0][20 * frame->linesize[0] + 56], 23, 35);
		av_frame_free(&frame);
		tjFree(jpeg);
	}
}

static void
reads_grey_and_progressive(void **state)
{
	AVFrame *frame;
	ImageInfo info;
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(64, 48, TJSAMP_GRAY, 0, &length);

	assert_int_equal(decode(jpeg, length, SIDE, &frame, &info), IMAGE_OK);
	assert_int_equal(frame->format, AV_PIX_FMT_GRAY8);
	av_frame_free(&frame);
	tjFree(jpeg);

	length = 0;
	jpeg = make_jpeg(64, 48, TJSAMP_420, TJFLAG_PROGRESSIVE, &length);
	assert_int_equal(decode(jpeg, length, SIDE, &frame, &info), IMAGE_OK);
	assert_in_range(frame->data[0][20 * frame->linesize[0] + 8], 70, 82);
	av_frame_free(&frame);
	tjFree(jpeg);
}

static void
a_large_jpeg_is_scaled_down_in_decoding(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(1600, 1200, TJSAMP_420, 0, &length);
	AVFrame *frame;
	ImageInfo info;

	assert_int_equal(decode(jpeg, length, 300, &frame, &info), IMAGE_OK);
	assert_int_equal(info.width, 1600);
	assert_int_equal(frame->width, 400);
	assert_int_equal(frame->height, 300);
	av_frame_free(&frame);
	assert_int_equal(decode(jpeg, length, 301, &frame, &info), IMAGE_OK);
	assert_int_equal(frame->width, 800);
	av_frame_free(&frame);
	tjFree(jpeg);
}

static void
reads_png(void **state)
{
	Bytes png = begin_png(31, 17);
	AVFrame *frame;
	ImageInfo info;

	append_pixels(&png, 31, 17);
	append_chunk(&png, "IEND", "", 0);
	assert_int_equal(decode(png.data, png.length, SIDE, &frame, &info), IMAGE_OK);
	assert_int_equal(info.width, 31);
	assert_int_equal(frame->height, 17);
	assert_int_equal(frame->data[0][0], 0);
	av_frame_free(&frame);
	free(png.data);
}

/* Two by two quarters of 32 pixels: red, green, blue, white, by rows. */
static const uint8_t quarters[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};

static unsigned char *
make_quarters(int format, int subsampling, unsigned long *length)
{
	int size = tjPixelSize[format];
	unsigned char *pixels = malloc((size_t) 64 * 64 * size);
	unsigned char *jpeg = NULL;
	tjhandle compressor = tjInitCompress();

	for (int i = 0; i < 64 * 64; i++)
	{
		memcpy(pixels + i * size, quarters[(i / 64 / 32) * 2 + i % 64 / 32], 3);
		/* As Adobe stores them, 255 is no ink: of each ink what its colour keeps of white. */
		if (size == 4)
			pixels[i * size + 3] = 255;
	}
	assert_int_equal(
		tjCompress2(compressor, pixels, 64, 0, 64, format, &jpeg, length, subsampling, 95, 0), 0);
	tjDestroy(compressor);
	free(pixels);
	return jpeg;
}

/* The JPEG with EXIF after its first marker, of one entry in the first directory. */
static Bytes
with_exif(const unsigned char *jpeg, unsigned long length, bool little, int tag, int value)
{
	unsigned char exif[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M',
							0,	  42,	0, 0,  0,	8,	 0,	  1,   0, 0, 0,	  3,
							0,	  0,	0, 1,  0,	0,	 0,	  0,   0, 0, 0,	  0};
	Bytes bytes = {NULL, 0};

	exif[20] = tag >> 8;
	exif[21] = tag & 255;
	exif[29] = value;
	if (little)
	{
		static const int swapped[] = {12, 18, 20, 22, 28};

		exif[10] = exif[11] = 'I';
		exif[14] = 8;
		exif[17] = 0;
		exif[24] = 1;
		exif[27] = 0;
		for (size_t i = 0; i < sizeof(swapped) / sizeof(swapped[0]); i++)
		{
			unsigned char high = exif[swapped[i]];

			exif[swapped[i]] = exif[swapped[i] + 1];
			exif[swapped[i] + 1] = high;
		}
	}
	append(&bytes, jpeg, 2);
	append(&bytes, exif, sizeof(exif));
	append(&bytes, jpeg + 2, length - 2);
	return bytes;
}

/* The quarters that an RGB frame shows, as their places in the list: "0123". */
static void
see_quarters(const AVFrame *frame, char seen[5])
{
	assert_int_equal(frame->format, AV_PIX_FMT_RGB24);
	for (int i = 0; i < 4; i++)
	{
		int y = frame->height / 4 + i / 2 * frame->height / 2;
		int x = frame->width / 4 + i % 2 * frame->width / 2;
		const uint8_t *pixel = frame->data[0] + y * frame->linesize[0] + x * 3;

		seen[i] = '?';
		for (int k = 0; k < 4; k++)
			if (abs(pixel[0] - quarters[k][0]) + abs(pixel[1] - quarters[k][1]) +
					abs(pixel[2] - quarters[k][2]) <
				40)
				seen[i] = (char) ('0' + k);
	}
	seen[4] = '\0';
}

/* By hand from CIPA DC-008: where the first row and the first column are seen. */
static void
a_photograph_is_held_upright(void **state)
{
	static const char *const shown[] = {"1032", "3210", "2301", "0213", "2031", "3120", "1302"};
	unsigned long length = 0;
	unsigned char *jpeg = make_quarters(TJPF_RGB, TJSAMP_420, &length);

	for (int value = 2; value <= 8; value++)
		for (int little = 0; little < 2; little++)
		{
			Bytes bytes = with_exif(jpeg, length, little, 0x0112, value);
			char seen[5];
			AVFrame *frame;
			ImageInfo info;

			assert_int_equal(decode(bytes.data, bytes.length, SIDE, &frame, &info), IMAGE_OK);
			see_quarters(frame, seen);
			assert_string_equal(seen, shown[value - 2]);
			av_frame_free(&frame);
			free(bytes.data);
		}
	tjFree(jpeg);
}

static void
a_photograph_on_its_side_changes_its_size(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(1600, 1200, TJSAMP_422, 0, &length);
	Bytes bytes = with_exif(jpeg, length, true, 0x0112, 6);
	AVFrame *frame;
	ImageInfo info;

	assert_int_equal(decode(bytes.data, bytes.length, 300, &frame, &info), IMAGE_OK);
	assert_int_equal(info.width, 1200);
	assert_int_equal(info.height, 1600);
	assert_int_equal(frame->width, 300);
	assert_int_equal(frame->height, 400);
	/* What was left is above: red. */
	assert_in_range(frame->data[0][50 * frame->linesize[0] + 3 * 150], 240, 255);
	assert_in_range(frame->data[0][350 * frame->linesize[0] + 3 * 150], 0, 15);
	av_frame_free(&frame);
	free(bytes.data);
	tjFree(jpeg);
}

static void
exif_that_makes_no_sense_is_passed_over(void **state)
{
	static const int odd[][2] = {{0x0112, 0}, {0x0112, 9}, {0x0112, 255}, {0x0113, 6}};
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(64, 48, TJSAMP_420, 0, &length);
	AVFrame *frame;
	ImageInfo info;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
	{
		Bytes bytes = with_exif(jpeg, length, false, odd[i][0], odd[i][1]);

		assert_int_equal(decode(bytes.data, bytes.length, SIDE, &frame, &info), IMAGE_OK);
		assert_int_equal(frame->format, AV_PIX_FMT_YUVJ420P);
		av_frame_free(&frame);
		free(bytes.data);
	}
	/* Each byte of it wrong in every way that points elsewhere. */
	for (size_t at = 2; at < 38; at++)
		for (int value = 0; value < 256; value++)
		{
			Bytes bytes = with_exif(jpeg, length, false, 0x0112, 6);

			bytes.data[at] = (unsigned char) value;
			decode(bytes.data, bytes.length, SIDE, &frame, &info);
			av_frame_free(&frame);
			free(bytes.data);
		}
	tjFree(jpeg);
}

static void
reads_four_colours(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_quarters(TJPF_CMYK, TJSAMP_444, &length);
	Bytes turned = with_exif(jpeg, length, false, 0x0112, 3);
	char seen[5];
	AVFrame *frame;
	ImageInfo info;

	assert_int_equal(decode(jpeg, length, SIDE, &frame, &info), IMAGE_OK);
	see_quarters(frame, seen);
	assert_string_equal(seen, "0123");
	av_frame_free(&frame);
	assert_int_equal(decode(turned.data, turned.length, SIDE, &frame, &info), IMAGE_OK);
	see_quarters(frame, seen);
	assert_string_equal(seen, "3210");
	av_frame_free(&frame);
	free(turned.data);
	tjFree(jpeg);
}

/* ---- what is refused ---- */

static void
what_is_no_picture_is_told(void **state)
{
	AVFrame *frame;
	ImageInfo info;

	assert_int_equal(decode("", 0, SIDE, &frame, &info), IMAGE_UNKNOWN);
	assert_int_equal(decode("GIF89a", 6, SIDE, &frame, &info), IMAGE_UNKNOWN);
	assert_int_equal(decode("\xff\xd8", 2, SIDE, &frame, &info), IMAGE_UNKNOWN);
	assert_int_equal(decode("\xff\xd8\xff", 3, SIDE, &frame, &info), IMAGE_DAMAGED);
	assert_int_equal(decode("\x89PNG\r\n\x1a\n", 8, SIDE, &frame, &info), IMAGE_DAMAGED);
}

static void
a_cut_picture_is_refused(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(640, 480, TJSAMP_420, 0, &length);
	Bytes png = begin_png(64, 48);
	AVFrame *frame;
	ImageInfo info;

	for (unsigned long cut = 3; cut < length; cut += length / 40 + 1)
		assert_int_equal(decode(jpeg, cut, SIDE, &frame, &info), IMAGE_DAMAGED);
	tjFree(jpeg);

	append_pixels(&png, 64, 48);
	append_chunk(&png, "IEND", "", 0);
	for (size_t cut = 8; cut < png.length; cut++)
		assert_int_equal(decode(png.data, cut, SIDE, &frame, &info), IMAGE_DAMAGED);
	free(png.data);
}

static void
too_many_pixels_are_refused_by_the_header(void **state)
{
	static const uint32_t sizes[][2] = {{20000, 20000}, {IMAGE_MAX_SIDE + 1, 1},
										{1, 100000},	{10000, 5001},
										{65535, 65535}, {INT32_MAX, INT32_MAX}};
	AVFrame *frame;
	ImageInfo info;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		Bytes png = begin_png(sizes[i][0], sizes[i][1]);

		append_chunk(&png, "IDAT", "x", 1);
		append_chunk(&png, "IEND", "", 0);
		assert_int_equal(decode(png.data, png.length, SIDE, &frame, &info), IMAGE_TOO_LARGE);
		assert_non_null(strstr(reason, "megapixels"));
		free(png.data);
	}
}

/* A JPEG whose header claims 65500 x 65500. */
static void
a_jpeg_that_claims_too_much_is_refused(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(64, 48, TJSAMP_420, 0, &length);
	AVFrame *frame;
	ImageInfo info;

	for (unsigned long i = 0; i + 9 < length; i++)
	{
		if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0)
		{
			memcpy(jpeg + i + 5, "\xff\xdc\xff\xdc", 4);
			break;
		}
	}
	assert_int_equal(decode(jpeg, length, SIDE, &frame, &info), IMAGE_TOO_LARGE);
	tjFree(jpeg);
}

static long
peak_memory_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* A small picture with a comment that unpacks to 256 MB: it is not unpacked. */
static void
a_bomb_in_a_comment_does_not_go_off(void **state)
{
	Bytes png = begin_png(16, 16);
	AVFrame *frame;
	ImageInfo info;
	long before;

	append_deflated(&png, "zTXt", "Comment\0", 9, 'A', 256 << 20);
	append_deflated(&png, "iCCP", "Profile\0", 9, 'A', 256 << 20);
	append_pixels(&png, 16, 16);
	append_chunk(&png, "IEND", "", 0);
	assert_true(png.length < 2 << 20);
	before = peak_memory_kb();
	/* Making it took as much: a mark that decoding must not pass. */
	assert_int_equal(decode(png.data, png.length, SIDE, &frame, &info), IMAGE_OK);
	assert_true(peak_memory_kb() - before < 64 << 10);
	assert_int_equal(av_dict_count(frame->metadata), 0);
	av_frame_free(&frame);
	free(png.data);
}

/* More pixels in the data than the header admits. */
static void
surplus_pixels_are_ignored(void **state)
{
	Bytes png = begin_png(16, 16);
	AVFrame *frame;
	ImageInfo info;

	append_pixels(&png, 4000, 4000);
	append_chunk(&png, "IEND", "", 0);
	if (decode(png.data, png.length, SIDE, &frame, &info) == IMAGE_OK)
		assert_int_equal(frame->width, 16);
	av_frame_free(&frame);
	free(png.data);
}

/* Every byte of a JPEG and of a PNG wrong once: a picture or a reason, no crash. */
static void
a_wrong_byte_does_no_harm(void **state)
{
	unsigned long length = 0;
	unsigned char *jpeg = make_jpeg(48, 32, TJSAMP_420, 0, &length);
	Bytes png = begin_png(48, 32);
	AVFrame *frame;
	ImageInfo info;

	append_pixels(&png, 48, 32);
	append_chunk(&png, "IEND", "", 0);
	for (unsigned long i = 0; i < length; i++)
	{
		jpeg[i] ^= 0x5a;
		decode(jpeg, length, SIDE, &frame, &info);
		av_frame_free(&frame);
		jpeg[i] ^= 0x5a;
	}
	for (size_t i = 0; i < png.length; i++)
	{
		png.data[i] ^= 0x5a;
		decode(png.data, png.length, SIDE, &frame, &info);
		av_frame_free(&frame);
		png.data[i] ^= 0x5a;
	}
	tjFree(jpeg);
	free(png.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_subsampling),
		cmocka_unit_test(reads_grey_and_progressive),
		cmocka_unit_test(a_large_jpeg_is_scaled_down_in_decoding),
		cmocka_unit_test(reads_png),
		cmocka_unit_test(a_photograph_is_held_upright),
		cmocka_unit_test(a_photograph_on_its_side_changes_its_size),
		cmocka_unit_test(exif_that_makes_no_sense_is_passed_over),
		cmocka_unit_test(reads_four_colours),
		cmocka_unit_test(what_is_no_picture_is_told),
		cmocka_unit_test(a_cut_picture_is_refused),
		cmocka_unit_test(too_many_pixels_are_refused_by_the_header),
		cmocka_unit_test(a_jpeg_that_claims_too_much_is_refused),
		cmocka_unit_test(a_bomb_in_a_comment_does_not_go_off),
		cmocka_unit_test(surplus_pixels_are_ignored),
		cmocka_unit_test(a_wrong_byte_does_no_harm),
	};

	av_log_set_level(AV_LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
