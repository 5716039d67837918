/*
 * geometry.h
 *		Boxes in fractions of a frame, and rectangles in pixels.
 */
#ifndef CCTV_GEOMETRY_H
#define CCTV_GEOMETRY_H

/* Fractions of the frame, origin at the top left; 0 <= x, x + w <= 1. */
typedef struct Box
{
	float x;
	float y;
	float w;
	float h;
} Box;

/* Pixels of a frame, origin at the top left. */
typedef struct PixelRect
{
	int x;
	int y;
	int w;
	int h;
} PixelRect;

/* Fractions of the frame. */
typedef struct Point
{
	float x;
	float y;
} Point;

extern float box_area(const Box *box);					   /* 0 for an empty or inverted box */
extern float box_intersection(const Box *a, const Box *b); /* area of what both cover */
extern float box_iou(const Box *a, const Box *b);		   /* 0..1 */
extern Box box_union(const Box *a, const Box *b);		   /* smallest box around both */
extern Box box_clip(const Box *box);   /* what of it lies in the frame; may be empty */
extern Point box_foot(const Box *box); /* bottom centre: where a person stands */
extern Box box_from_rect(const PixelRect *rect, int frame_width, int frame_height);

#endif /* CCTV_GEOMETRY_H */
