/*
 * detector_opencv.cpp
 *		Running models with OpenCV's dnn module, where ONNX Runtime is absent.
 *
 * A cv::dnn::Net serves one thread at a time, so a model keeps as many as
 * have ever run at once.  No exception leaves this file.
 */
#include "detector_backend.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

namespace
{

/* A net, and the outputs of its last run. */
struct Runner
{
	cv::dnn::Net net;
	std::vector<std::string> names;
	std::vector<cv::Mat> outputs;
};

struct OpencvModel
{
	std::string path;
	InputShape shape;
	std::mutex mutex;
	std::vector<std::unique_ptr<Runner>> idle;
};

void
report(char *error, size_t error_size, const char *what)
{
	snprintf(error, error_size, "opencv: %s", what);
	error[strcspn(error, "\r\n")] = '\0';
}

std::unique_ptr<Runner>
make_runner(const std::string &path)
{
	std::unique_ptr<Runner> runner(new Runner);

	runner->net = cv::dnn::readNetFromONNX(path);
	runner->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
	runner->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
	runner->names = runner->net.getUnconnectedOutLayersNames();
	if (runner->names.size() > INFERENCE_MAX_OUTPUTS)
		throw std::length_error("the model has too many outputs");
	return runner;
}

std::unique_ptr<Runner>
take_runner(OpencvModel *model)
{
	{
		std::lock_guard<std::mutex> lock(model->mutex);

		if (!model->idle.empty())
		{
			std::unique_ptr<Runner> runner = std::move(model->idle.back());

			model->idle.pop_back();
			return runner;
		}
	}
	return make_runner(model->path);
}

void *
opencv_open(const char *path, InputShape *shape, char *runtime, size_t runtime_size, char *error,
			size_t error_size)
{
	if (shape->width <= 0 || shape->height <= 0)
	{
		report(error, error_size, "the size of the model's input must be given");
		return nullptr;
	}
	try
	{
		std::unique_ptr<OpencvModel> model(new OpencvModel);

		/* The engine's detector threads are the parallelism. */
		cv::setNumThreads(1);
		shape->layout = TENSOR_FLOAT_NCHW;
		model->path = path;
		model->shape = *shape;
		model->idle.push_back(make_runner(path));
		snprintf(runtime, runtime_size, "opencv %s", CV_VERSION);
		return model.release();
	}
	catch (const std::exception &e)
	{
		report(error, error_size, e.what());
	}
	catch (...)
	{
		report(error, error_size, "unknown failure");
	}
	return nullptr;
}

void
opencv_close(void *handle)
{
	delete static_cast<OpencvModel *>(handle);
}

void
describe_outputs(const Runner &runner, Inference *result)
{
	for (size_t i = 0; i < runner.outputs.size(); i++)
	{
		const cv::Mat &output = runner.outputs[i];
		Tensor *tensor = &result->outputs[i];

		if (output.type() != CV_32F || output.dims > TENSOR_MAX_DIMS || !output.isContinuous())
			throw std::runtime_error("an output is not a plain float tensor");
		tensor->name = runner.names[i].c_str();
		tensor->ndims = output.dims;
		for (int d = 0; d < output.dims; d++)
			tensor->dims[d] = output.size[d];
		tensor->data = output.ptr<float>();
	}
	result->noutputs = static_cast<int>(runner.outputs.size());
}

int
opencv_run(void *handle, const void *input, Inference *result, char *error, size_t error_size)
{
	OpencvModel *model = static_cast<OpencvModel *>(handle);

	memset(result, 0, sizeof(*result));
	try
	{
		std::unique_ptr<Runner> runner = take_runner(model);
		int dims[] = {1, 3, model->shape.height, model->shape.width};

		runner->net.setInput(cv::Mat(4, dims, CV_32F, const_cast<void *>(input)));
		runner->net.forward(runner->outputs, runner->names);
		describe_outputs(*runner, result);
		result->handle = runner.release();
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
	memset(result, 0, sizeof(*result));
	return -1;
}

void
opencv_release(void *handle, Inference *result)
{
	OpencvModel *model = static_cast<OpencvModel *>(handle);
	std::unique_ptr<Runner> runner(static_cast<Runner *>(result->handle));

	memset(result, 0, sizeof(*result));
	if (!runner)
		return;
	try
	{
		std::lock_guard<std::mutex> lock(model->mutex);

		model->idle.push_back(std::move(runner));
	}
	catch (...)
	{
		/* Then the next run makes a new one. */
	}
}

} /* namespace */

const Backend backend_opencv = {opencv_open, opencv_close, opencv_run, opencv_release, nullptr};
