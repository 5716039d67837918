/*
 * draw.cpp
 *		Boxes, captions and black parts on a picture, with OpenCV's imgproc.
 */
#include "draw.h"

#include <algorithm>
#include <string>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace
{

const cv::Scalar accent(66, 176, 255);
const cv::Scalar ink(0, 0, 0);
const cv::Scalar paper(255, 255, 255);

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
	std::string out;

	for (const unsigned char *p = (const unsigned char *) text; *p != 0; p++)
	{
		if (*p < 0x80)
			out += (char) *p;
		else if (*p >= 0xC0)
			out += '?';
	}
	return out;
}

cv::Mat
mat(const Canvas *canvas)
{
	return cv::Mat(canvas->height, canvas->width, CV_8UC3, canvas->data, canvas->stride);
}

/* Text on a filled strip whose lower left corner is at corner. */
void
label(cv::Mat &picture, const Style &style, const std::string &text, cv::Point corner,
	  const cv::Scalar &background, const cv::Scalar &foreground)
{
	int baseline = 0;
	cv::Size size =
		cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, style.font, style.stroke, &baseline);
	int width = size.width + 2 * style.margin;
	int height = size.height + baseline + style.margin;

	corner.x = std::max(0, std::min(corner.x, picture.cols - width));
	corner.y = std::max(height, std::min(corner.y, picture.rows));
	cv::rectangle(picture, cv::Rect(corner.x, corner.y - height, width, height), background,
				  cv::FILLED);
	cv::putText(picture, text, cv::Point(corner.x + style.margin, corner.y - baseline),
				cv::FONT_HERSHEY_SIMPLEX, style.font, foreground, style.stroke, cv::LINE_AA);
}

} // namespace

/* An exception (out of memory) costs the drawing, never the engine. */
extern "C" void
draw_object(const Canvas *canvas, const Box *box, const char *caption)
try
{
	cv::Mat picture = mat(canvas);
	Style style(canvas);
	cv::Point from(cvRound(box->x * canvas->width), cvRound(box->y * canvas->height));
	cv::Point to(cvRound((box->x + box->w) * canvas->width) - 1,
				 cvRound((box->y + box->h) * canvas->height) - 1);

	cv::rectangle(picture, from, to, ink, style.line + 2);
	cv::rectangle(picture, from, to, accent, style.line);
	label(picture, style, ascii(caption), cv::Point(from.x - style.line / 2, from.y), accent, ink);
}
catch (...)
{
}

extern "C" void
draw_footer(const Canvas *canvas, const char *text)
try
{
	cv::Mat picture = mat(canvas);

	label(picture, Style(canvas), ascii(text), cv::Point(0, canvas->height), ink, paper);
}
catch (...)
{
}

/* Unlike a box, this must not be left out: whoever asked for it hears of it. */
extern "C" int
draw_black(const Canvas *canvas, const Polygon *polygons, int count)
try
{
	cv::Mat picture = mat(canvas);

	for (int i = 0; i < count; i++)
	{
		std::vector<cv::Point> corners;

		for (int j = 0; j < polygons[i].ncorners; j++)
			corners.emplace_back(cvRound(polygons[i].corners[j].x * canvas->width),
								 cvRound(polygons[i].corners[j].y * canvas->height));
		cv::fillPoly(picture, std::vector<std::vector<cv::Point>>{corners}, ink);
	}
	return 0;
}
catch (...)
{
	return -1;
}
