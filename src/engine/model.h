/*
 * model.h
 *		A registered model, loaded when it is first needed and shared by every
 *		camera of the engine.
 */
#ifndef CCTV_MODEL_H
#define CCTV_MODEL_H

#include <stddef.h>

#include "desired_state.h"
#include "detector.h"

#define MODEL_RUNTIME_TEXT 64

typedef struct Model Model;

/* What detector_open takes; its strings are the configuration's. */
extern ModelSpec model_spec(const ModelConfig *config);

/* Takes a reference of its own to config.  NULL when out of memory. */
extern Model *model_create(ModelConfig *config);
extern Model *model_ref(Model *model);
extern void model_unref(Model *model);

/* Is there a reference besides the caller's? */
extern bool model_is_shared(const Model *model);
extern const ModelConfig *model_config(const Model *model);

/*
 * The loaded detector, which lives as long as the model.  The first caller loads
 * it, which takes a while; others wait.  NULL with a reason when it cannot be
 * loaded; then it is tried again after a minute.
 */
extern Detector *model_detector(Model *model, char *reason, size_t reason_size);

/* detector_trim(), if it is loaded. */
extern void model_trim(Model *model);

/* What runs it, "" until it is loaded. */
extern void model_runtime(Model *model, char runtime[MODEL_RUNTIME_TEXT]);

#endif /* CCTV_MODEL_H */
