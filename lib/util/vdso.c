/* SPDX-License-Identifier: MIT */
/* vdso.c - detects Linux by the note in the page that the kernel maps into every process */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#include "util/vdso.h"

#define SEGMENTS_MAX 16
#define NOTE_VERSION 0 /* the type of the note with LINUX_VERSION_CODE */

/* Names and contents of notes are padded to words (elf(5)). */
static size_t padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static bool is_version(const char *notes, size_t size)
{
	static const char owner[] = "Linux";
	ElfW(Nhdr) note;

	while (size >= sizeof(note)) {
		size_t length;

		memcpy(&note, notes, sizeof(note));
		if (note.n_namesz > size || note.n_descsz > size)
			return false;
		length = sizeof(note) + padded(note.n_namesz) + padded(note.n_descsz);
		if (length > size)
			return false;
		if (note.n_type == NOTE_VERSION && note.n_namesz == sizeof(owner) &&
		    memcmp(notes + sizeof(note), owner, sizeof(owner)) == 0 &&
		    note.n_descsz == sizeof(uint32_t))
			return true;
		notes += length;
		size -= length;
	}
	return false;
}

bool vdso_says_linux(const void *image)
{
	const char *start = image;
	ElfW(Ehdr) header;
	ElfW(Phdr) segment;

	if (!image)
		return false;
	memcpy(&header, start, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(segment) ||
	    header.e_phnum > SEGMENTS_MAX)
		return false;
	for (size_t i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, start + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_NOTE &&
		    is_version(start + segment.p_offset, segment.p_filesz))
			return true;
	}
	return false;
}

bool vdso_is_linux(void)
{
	return vdso_says_linux((const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR));
}
