/*
 * picture_opencv.cpp
 *		The detectors from before networks that OpenCV has: cascades of Haar or
 *		LBP features (Viola and Jones, CVPR 2001) and people by histograms of
 *		gradients (Dalal and Triggs, CVPR 2005).
 *
 * No exception leaves this file.
 */
#include "detector_picture.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <unistd.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "model_options.h"

namespace
{

/* The window of the people detector is larger than the person: this is the person's part. */
const float PERSON_LEFT = 0.1f;
const float PERSON_TOP = 0.07f;
const float PERSON_PART = 0.8f;

void
report(char *error, size_t error_size, const char *what)
{
	snprintf(error, error_size, "opencv: %s", what);
	error[strcspn(error, "\r\n")] = '\0';
}

/* Run a function that may throw; 0, or -1 with the reason in error. */
template <typename Function>
int
guarded(char *error, size_t error_size, Function function)
{
	try
	{
		function();
		return 0;
	}
	catch (const std::exception &e)
	{
		report(error, error_size, e.what());
	}
	catch (...)
	{
		report(error, error_size, "unknown failure");
	}
	return -1;
}

/* The caller's pixels, without a copy. */
cv::Mat
as_matrix(const GreyPicture *picture)
{
	return cv::Mat(picture->height, picture->width, CV_8UC1, const_cast<uint8_t *>(picture->pixels),
				   picture->stride);
}

void
add(Candidates *candidates, const GreyPicture *picture, const cv::Rect2f &rect, float confidence)
{
	Object object = {};

	object.box.x = rect.x / picture->width;
	object.box.y = rect.y / picture->height;
	object.box.w = rect.width / picture->width;
	object.box.h = rect.height / picture->height;
	object.confidence = confidence;
	candidates_add(candidates, &object);
}

bool
aspect_fits(const cv::Rect &rect, const ModelOptions *options)
{
	float aspect = static_cast<float>(rect.width) / rect.height;

	return aspect >= options->min_aspect && aspect <= options->max_aspect;
}

/* A classifier serves one thread at a time, so a model keeps as many as have ever run at once. */
struct Cascade
{
	std::string path;
	const ModelOptions *options;
	std::mutex mutex;
	std::vector<std::unique_ptr<cv::CascadeClassifier>> idle;
};

std::unique_ptr<cv::CascadeClassifier>
load_cascade(const std::string &path)
{
	std::unique_ptr<cv::CascadeClassifier> classifier(new cv::CascadeClassifier);

	/* OpenCV itself would print that it cannot open the file. */
	if (access(path.c_str(), R_OK) != 0 || !classifier->load(path) || classifier->empty())
		throw std::runtime_error("the file cannot be read, or is no cascade");
	return classifier;
}

std::unique_ptr<cv::CascadeClassifier>
take_classifier(Cascade *cascade)
{
	{
		std::lock_guard<std::mutex> lock(cascade->mutex);

		if (!cascade->idle.empty())
		{
			std::unique_ptr<cv::CascadeClassifier> classifier = std::move(cascade->idle.back());

			cascade->idle.pop_back();
			return classifier;
		}
	}
	return load_cascade(cascade->path);
}

void *
cascade_open(const char *path, const ModelOptions *options, char *runtime, size_t runtime_size,
			 char *error, size_t error_size)
{
	std::unique_ptr<Cascade> cascade;

	if (guarded(error, error_size,
				[&]
				{
					/* The engine's detector threads are the parallelism. */
					cv::setNumThreads(1);
					cascade.reset(new Cascade);
					cascade->path = path;
					cascade->options = options;
					cascade->idle.push_back(load_cascade(path));
				}) != 0)
		return nullptr;
	snprintf(runtime, runtime_size, "opencv %s", CV_VERSION);
	return cascade.release();
}

void
cascade_close(void *model)
{
	delete static_cast<Cascade *>(model);
}

/*
 * A cascade has no probabilities: what it has is how many windows agree.  The
 * least number that counts, min_neighbors, is half sure, and more are surer.
 */
int
cascade_search(void *model, const GreyPicture *picture, float min_confidence,
			   Candidates *candidates, char *error, size_t error_size)
{
	Cascade *cascade = static_cast<Cascade *>(model);
	const ModelOptions *options = cascade->options;

	return guarded(error, error_size,
				   [&]
				   {
					   std::unique_ptr<cv::CascadeClassifier> classifier = take_classifier(cascade);
					   std::vector<cv::Rect> rects;
					   std::vector<int> neighbors;
					   cv::Mat even;

					   cv::equalizeHist(as_matrix(picture), even);
					   classifier->detectMultiScale(even, rects, neighbors, options->scale_factor,
													options->min_neighbors, 0,
													cv::Size(options->min_size, options->min_size));
					   for (size_t i = 0; i < rects.size(); i++)
					   {
						   float count = static_cast<float>(neighbors[i]);
						   float confidence = count / (count + options->min_neighbors);

						   if (confidence >= min_confidence && aspect_fits(rects[i], options))
							   add(candidates, picture, cv::Rect2f(rects[i]), confidence);
					   }
					   std::lock_guard<std::mutex> lock(cascade->mutex);

					   cascade->idle.push_back(std::move(classifier));
				   });
}

struct Hog
{
	cv::HOGDescriptor descriptor;
	const ModelOptions *options;
};

void *
hog_open(const char *, const ModelOptions *options, char *runtime, size_t runtime_size, char *error,
		 size_t error_size)
{
	std::unique_ptr<Hog> hog;

	if (guarded(error, error_size,
				[&]
				{
					cv::setNumThreads(1);
					hog.reset(new Hog);
					hog->options = options;
					hog->descriptor.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
				}) != 0)
		return nullptr;
	snprintf(runtime, runtime_size, "opencv %s", CV_VERSION);
	return hog.release();
}

void
hog_close(void *model)
{
	delete static_cast<Hog *>(model);
}

/* The distance from the separating plane, as a probability by the logistic function. */
int
hog_search(void *model, const GreyPicture *picture, float min_confidence, Candidates *candidates,
		   char *error, size_t error_size)
{
	const Hog *hog = static_cast<Hog *>(model);
	const ModelOptions *options = hog->options;

	return guarded(error, error_size,
				   [&]
				   {
					   std::vector<cv::Rect> rects;
					   std::vector<double> weights;
					   cv::Size window = hog->descriptor.winSize;

					   if (picture->width < window.width || picture->height < window.height)
						   return;
					   hog->descriptor.detectMultiScale(
						   as_matrix(picture), rects, weights, options->hit_threshold,
						   cv::Size(options->win_stride, options->win_stride), cv::Size(),
						   options->scale_factor, options->group_threshold);
					   for (size_t i = 0; i < rects.size(); i++)
					   {
						   float confidence = static_cast<float>(1 / (1 + std::exp(-weights[i])));
						   cv::Rect2f person(rects[i].x + PERSON_LEFT * rects[i].width,
											 rects[i].y + PERSON_TOP * rects[i].height,
											 PERSON_PART * rects[i].width,
											 PERSON_PART * rects[i].height);

						   if (confidence >= min_confidence && aspect_fits(rects[i], options))
							   add(candidates, picture, person, confidence);
					   }
				   });
}

} /* namespace */

const PictureKind picture_cascade = {
	{"cascade", OPTIONS_CASCADE, false, false, false, false},
	cascade_open,
	cascade_close,
	cascade_search,
};

const PictureKind picture_hog = {
	{"hog", OPTIONS_HOG, false, false, false, true},
	hog_open,
	hog_close,
	hog_search,
};
