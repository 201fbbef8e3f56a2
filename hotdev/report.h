/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model as JSON: what `ctl status`, `modules`, `pins` and `errors` answer. */
#ifndef HD_HOTDEV_REPORT_H
#define HD_HOTDEV_REPORT_H

#include "reloader/history/model.h"

/* New references. */
json_t *hd_report_status(const hd_model *model);
json_t *hd_report_modules(const hd_model *model);
json_t *hd_report_pins(const hd_model *model);
json_t *hd_report_errors(const hd_model *model);

#endif
