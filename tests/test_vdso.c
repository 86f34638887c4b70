/* SPDX-License-Identifier: MIT */
/* test_vdso.c - the kernel's name in its vDSO, from images of our own and from the kernel */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#include "support/check_main.h"
#include "support/skip.h"
#include "util/vdso.h"

#define OWNER_MAX 8

struct note {
	ElfW(Nhdr) header;
	char owner[OWNER_MAX];
	uint32_t content;
};

/* The smallest possible image: two segments, the second with two notes. */
static struct image {
	ElfW(Ehdr) header;
	ElfW(Phdr) segments[2];
	struct note notes[2];
} image;

static struct note note_of(const char *owner, uint32_t type)
{
	struct note note = {
		.header.n_namesz = (uint32_t)strlen(owner) + 1,
		.header.n_descsz = sizeof(note.content),
		.header.n_type = type,
		.content = 0x6122c,
	};

	/* Space for eight characters, padded. */
	ck_assert_uint_gt(note.header.n_namesz, OWNER_MAX - 4);
	memcpy(note.owner, owner, note.header.n_namesz);
	return note;
}

static void setup(void)
{
	image = (struct image){
		.header =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3},
				.e_phoff = offsetof(struct image, segments),
				.e_phentsize = sizeof(image.segments[0]),
				.e_phnum = 2,
			},
		.segments =
			{
				{.p_type = PT_LOAD, .p_filesz = sizeof(image)},
				{
					.p_type = PT_NOTE,
					.p_offset = offsetof(struct image, notes),
					.p_filesz = sizeof(image.notes),
				},
			},
		.notes = {note_of("Other", 0), note_of("Linux", 0)},
	};
}

START_TEST(a_note_identifies_linux)
{
	ck_assert(vdso_says_linux(&image));
	image.notes[0] = note_of("Linux", 0x100);
	ck_assert(vdso_says_linux(&image));
}
END_TEST

START_TEST(nothing_else_identifies_linux)
{
	ck_assert(!vdso_says_linux(NULL));
	image.header.e_phnum = 1; /* as in gVisor: no notes */
	ck_assert(!vdso_says_linux(&image));
	setup();
	image.notes[1] = note_of("Linux", 0x100);
	ck_assert(!vdso_says_linux(&image));
	image.notes[1] = note_of("Linuxy", 0);
	ck_assert(!vdso_says_linux(&image));
	image.notes[1] = note_of("linux", 0);
	ck_assert(!vdso_says_linux(&image));
}
END_TEST

START_TEST(a_malformed_image_does_not_identify_linux)
{
	image.header.e_ident[0] = 0;
	ck_assert(!vdso_says_linux(&image));
	setup();
	image.header.e_phentsize--;
	ck_assert(!vdso_says_linux(&image));
	setup();
	image.header.e_phnum = 1000;
	ck_assert(!vdso_says_linux(&image));
	setup();
	image.notes[0].header.n_namesz = UINT32_MAX;
	ck_assert(!vdso_says_linux(&image));
	setup();
	image.notes[0].header.n_descsz = UINT32_MAX - 2;
	ck_assert(!vdso_says_linux(&image));
}
END_TEST

START_TEST(cut_anywhere)
{
	/* The second note needs everything but its last padding, which is missing. */
	for (size_t size = 0; size < sizeof(image.notes); size++) {
		image.segments[1].p_filesz = size;
		ck_assert(!vdso_says_linux(&image));
	}
}
END_TEST

/* All kernels on which this test runs are Linux, except kernels that only imitate Linux. */
START_TEST(the_vdso_of_this_kernel_identifies_linux)
{
	struct utsname name;

	ck_assert_int_eq(uname(&name), 0);
	if (getauxval(AT_SYSINFO_EHDR) == 0)
		test_skip("no vDSO");
	if (!vdso_is_linux())
		test_skip("%s %s doesn't say in its vDSO that it is Linux", name.sysname,
		          name.release);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("vdso");
	TCase *images = tcase_create("images"), *kernel = tcase_create("kernel");

	tcase_add_checked_fixture(images, setup, NULL);
	tcase_add_test(images, a_note_identifies_linux);
	tcase_add_test(images, nothing_else_identifies_linux);
	tcase_add_test(images, a_malformed_image_does_not_identify_linux);
	tcase_add_test(images, cut_anywhere);
	suite_add_tcase(suite, images);
	tcase_add_test(kernel, the_vdso_of_this_kernel_identifies_linux);
	suite_add_tcase(suite, kernel);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
