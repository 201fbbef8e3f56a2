/* SPDX-License-Identifier: MIT */
#ifndef HANDLER_H
#define HANDLER_H

#include "http.h"

/* Answers a request. The response comes as an empty page with status 200. */
void handle(const request *q, response *a);

#endif
