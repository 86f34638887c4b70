// SPDX-License-Identifier: MIT
// watch.cpp - prints the ports of a process and its descendants, in C++17
//
//     c++ -std=c++17 watch.cpp -o watch $(pkg-config --cflags --libs libportwatch)
//     ./watch PID
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <portwatch.h>
#include <stdexcept>
#include <system_error>
#include <utility>

// A watcher that owns its callback. noexcept enforces the library's rule that no exception may leave a callback.
class Watcher {
public:
	using Callback = std::function<void(const portwatch_event &)>;

	Watcher(pid_t pid, Callback callback) : callback_(std::move(callback))
	{
		portwatch *watcher = nullptr;

		check(portwatch_new(&watcher, pid, &Watcher::on_event, this), "portwatch_new");
		watcher_.reset(watcher);
	}
	// The library keeps the address of the object.
	Watcher(const Watcher &) = delete;
	Watcher &operator=(const Watcher &) = delete;

	void start() { check(portwatch_start(watcher_.get()), "portwatch_start"); }

private:
	struct Free {
		void operator()(portwatch *watcher) const { portwatch_free(watcher); }
	};

	static void on_event(portwatch *, const portwatch_event *event, void *self) noexcept
	{
		static_cast<Watcher *>(self)->callback_(*event);
	}

	static void check(int result, const char *what)
	{
		if (result < 0)
			throw std::system_error(-result, std::generic_category(), what);
	}

	Callback callback_;
	std::unique_ptr<portwatch, Free> watcher_; // destroyed first: no callback runs after it
};

int main(int argc, char **argv)
try {
	std::promise<void> ended;

	if (argc != 2)
		throw std::invalid_argument("Usage: watch PID");
	Watcher watcher(std::atoi(argv[1]), [&](const portwatch_event &event) {
		if (portwatch_event_get_kind(&event) == PORTWATCH_EVENT_END)
			ended.set_value();
		else
			std::cout << portwatch_event_get_address_text(&event) << " port "
				  << portwatch_event_get_port(&event) << std::endl;
	});
	watcher.start();
	ended.get_future().wait();
	return 0;
} catch (const std::exception &error) {
	std::cerr << error.what() << std::endl;
	return 1;
}
