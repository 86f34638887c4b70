/* SPDX-License-Identifier: MIT */
/* options.h - the options of a watcher, which the host sets before the start */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "portwatch.h"

struct options {
	unsigned int kinds;
	unsigned int interval; /* milliseconds; 0 adapts */
	enum portwatch_addresses addresses;
	enum portwatch_scope scope;
	enum portwatch_reader reader;
	enum portwatch_table table;
	enum portwatch_delivery delivery;
	unsigned int members;  /* the most members, and ... */
	unsigned int ports;    /* ... the most open ports */
	unsigned int helpers;  /* the most helpers of all watchers */
	unsigned int warnings; /* the most warnings at once */
	bool subreaper;
	bool notifier;
	enum portwatch_log_level log_level;
	portwatch_log_callback log;
};

#endif
