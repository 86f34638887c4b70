/* SPDX-License-Identifier: MIT */
/* rights.c - an ordinary user with some capabilities */
#include "rights.h"

#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

const struct rights rights_admin = {{CAP_SYS_ADMIN}, 1, true};
const struct rights rights_bpf = {{CAP_BPF, CAP_PERFMON}, 2, false};
const struct rights rights_none = {{0}, 0, false};

static bool permit(const struct rights *rights)
{
	cap_t caps = cap_init();
	bool done = caps != NULL;

	for (int i = 0; i < rights->count && done; i++)
		done = cap_set_flag(caps, CAP_PERMITTED, 1, &rights->capabilities[i], CAP_SET) == 0;
	done = done && cap_set_proc(caps) == 0;
	cap_free(caps);
	return done;
}

bool rights_take(const struct rights *rights)
{
	bool done = prctl(PR_SET_KEEPCAPS, 1) == 0 && setgroups(0, NULL) == 0 &&
	            setresgid(RIGHTS_USER, RIGHTS_USER, RIGHTS_USER) == 0 &&
	            setresuid(RIGHTS_USER, RIGHTS_USER, RIGHTS_USER) == 0 && permit(rights);

	/* After the change of user, /proc/self would belong to root. */
	prctl(PR_SET_DUMPABLE, 1);
	return done;
}
