/* SPDX-License-Identifier: MIT */
/* json.h - an independent parser of JSON and UTF-8, to check the output of pwatch */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the first character of [*at, end) (UTF-8, RFC 3629) and advances *at. Returns false and
 * leaves *at unchanged if there is no valid character. */
bool utf8_next(const char **at, const char *end, uint32_t *character);

/* Returns whether [text, end) is one JSON object (RFC 8259) in UTF-8, without control characters,
 * and without nested objects or lists. Calls visit, which may be NULL, for each string value,
 * decoded. */
#define JSON_STRING_MAX 8192
struct json_string {
	char key[64];
	size_t length;
	uint32_t characters[JSON_STRING_MAX];
};
typedef void (*json_visit)(void *data, const struct json_string *string);
bool json_is_object(const char *text, const char *end, json_visit visit, void *data);

#endif
