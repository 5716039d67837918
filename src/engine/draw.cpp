/*
 * draw.cpp
 *		Boxes, captions and black parts on a picture, with OpenCV's imgproc.
 */
#include "draw.h"

#include <algorithm>
#include <string>
#include <vector>

#include <opencv2/imgproc.hpp>

#include "caption.h"

namespace
{

/* A colour in both kinds of picture; YUV in video's range. */
struct Colour
{
	cv::Scalar bgr;
	cv::Scalar yuv;
};

const Colour accent = {{66, 176, 255}, {177, 68, 171}};
const Colour ink = {{0, 0, 0}, {16, 128, 128}};
const Colour paper = {{255, 255, 255}, {235, 128, 128}};

/* Longer captions are cut. */
const size_t max_text = 256;

/* Lines and letters that are readable when the picture fills a screen. */
struct Style
{
	explicit Style(const Canvas *canvas)
		: line(std::max(2, canvas->height / 270)), font(std::max(0.4, canvas->height / 1100.0)),
		  stroke(std::max(1, canvas->height / 540)), margin(std::max(3, canvas->height / 180))
	{
	}
	int line;
	double font;
	int stroke;
	int margin;
};

std::string
ascii(const char *text)
{
	char out[max_text];

	caption_ascii(text, out, sizeof(out));
	return out;
}

/* The planes of a canvas, all drawn on alike. */
class Surface
{
  public:
	explicit Surface(const Canvas *canvas)
	{
		bool planar = canvas->chroma[0] != nullptr;

		planes[0] = cv::Mat(canvas->height, canvas->width, planar ? CV_8UC1 : CV_8UC3, canvas->data,
							canvas->stride);
		for (int i = 0; planar && i < 2; i++)
			planes[1 + i] = cv::Mat(canvas->height / 2, canvas->width / 2, CV_8UC1,
									canvas->chroma[i], canvas->chroma_stride);
		count = planar ? 3 : 1;
	}

	int
	width() const
	{
		return planes[0].cols;
	}

	int
	height() const
	{
		return planes[0].rows;
	}

	void
	fill(const cv::Rect &rect, const Colour &colour)
	{
		/* Chroma takes in every pixel that has one of the rectangle's. */
		cv::Rect half(cv::Point(rect.x / 2, rect.y / 2),
					  cv::Point((rect.x + rect.width + 1) / 2, (rect.y + rect.height + 1) / 2));

		for (int i = 0; i < count; i++)
			cv::rectangle(planes[i], i == 0 ? rect : half, value(colour, i), cv::FILLED);
	}

	void
	frame(cv::Point from, cv::Point to, const Colour &colour, int line)
	{
		cv::rectangle(planes[0], from, to, value(colour, 0), line);
		for (int i = 1; i < count; i++)
			cv::rectangle(planes[i], from / 2, to / 2, value(colour, i), std::max(1, line / 2));
	}

	void
	fill(const Polygon &polygon, const Colour &colour)
	{
		for (int i = 0; i < count; i++)
		{
			std::vector<cv::Point> corners;

			for (int j = 0; j < polygon.ncorners; j++)
				corners.emplace_back(cvRound(polygon.corners[j].x * planes[i].cols),
									 cvRound(polygon.corners[j].y * planes[i].rows));
			cv::fillPoly(planes[i], std::vector<std::vector<cv::Point>>{corners}, value(colour, i));
		}
	}

	/* Letters are too fine for chroma: they keep that of what they stand on. */
	void
	write(const std::string &text, cv::Point corner, const Style &style, const Colour &colour)
	{
		cv::putText(planes[0], text, corner, cv::FONT_HERSHEY_SIMPLEX, style.font, value(colour, 0),
					style.stroke, cv::LINE_AA);
	}

  private:
	cv::Scalar
	value(const Colour &colour, int plane) const
	{
		return count == 1 ? colour.bgr : cv::Scalar(colour.yuv[plane]);
	}

	cv::Mat planes[3];
	int count;
};

/* Text on a filled strip whose lower left corner is at corner. */
void
label(Surface &surface, const Style &style, const std::string &text, cv::Point corner,
	  const Colour &background, const Colour &foreground)
{
	int baseline = 0;
	cv::Size size =
		cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, style.font, style.stroke, &baseline);
	int width = size.width + 2 * style.margin;
	int height = size.height + baseline + style.margin;

	corner.x = std::max(0, std::min(corner.x, surface.width() - width));
	corner.y = std::max(height, std::min(corner.y, surface.height()));
	surface.fill(cv::Rect(corner.x, corner.y - height, width, height), background);
	surface.write(text, cv::Point(corner.x + style.margin, corner.y - baseline), style, foreground);
}

} // namespace

/* An exception (out of memory) costs the drawing, never the engine. */
extern "C" void
draw_object(const Canvas *canvas, const Box *box, const char *caption)
try
{
	Surface surface(canvas);
	Style style(canvas);
	cv::Point from(cvRound(box->x * canvas->width), cvRound(box->y * canvas->height));
	cv::Point to(cvRound((box->x + box->w) * canvas->width) - 1,
				 cvRound((box->y + box->h) * canvas->height) - 1);

	surface.frame(from, to, ink, style.line + 2);
	surface.frame(from, to, accent, style.line);
	label(surface, style, ascii(caption), cv::Point(from.x - style.line / 2, from.y), accent, ink);
}
catch (...)
{
}

extern "C" void
draw_footer(const Canvas *canvas, const char *text)
try
{
	Surface surface(canvas);

	label(surface, Style(canvas), ascii(text), cv::Point(0, canvas->height), ink, paper);
}
catch (...)
{
}

/* Unlike a box, this must not be left out: whoever asked for it hears of it. */
extern "C" int
draw_black(const Canvas *canvas, const Polygon *polygons, int count)
try
{
	Surface surface(canvas);

	for (int i = 0; i < count; i++)
		surface.fill(polygons[i], ink);
	return 0;
}
catch (...)
{
	return -1;
}
