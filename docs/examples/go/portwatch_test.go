// SPDX-License-Identifier: MIT

package portwatch

import (
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

func listen(t *testing.T) (net.Listener, int) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener, listener.Addr().(*net.TCPAddr).Port
}

func await(t *testing.T, ports chan Port, number int) {
	deadline := time.After(time.Minute)
	for {
		select {
		case port := <-ports:
			if port.Port != number {
				continue
			}
			if port.PID != os.Getpid() || port.Address != "127.0.0.1" {
				t.Errorf("unexpected owner or address: %+v", port)
			}
			return
		case <-deadline:
			t.Fatalf("port %d was not reported", number)
		}
	}
}

func TestPortsAreReported(t *testing.T) {
	ports := make(chan Port, 1000)
	early, number := listen(t)
	defer early.Close()
	w, err := New(os.Getpid(), func(port Port) { ports <- port })
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, ports, number)
	late, number := listen(t)
	defer late.Close()
	await(t, ports, number)
	w.Stop()
	w.Stop()
	if w.Start() == nil {
		t.Error("Start after Stop returns no error")
	}
}

func TestInvalidArguments(t *testing.T) {
	if _, err := New(-1, func(Port) {}); err != syscall.EINVAL {
		t.Errorf("New(-1) returns %v", err)
	}
	if _, err := New(os.Getpid(), nil); err == nil {
		t.Error("New without a callback returns no error")
	}
}

// -race finds races with the callbacks, which run in a thread of the library.
func TestManyWatchersAtOnce(t *testing.T) {
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			ports := make(chan Port, 1000)
			w, err := New(os.Getpid(), func(port Port) { ports <- port })
			if err == nil {
				err = w.Start()
			}
			if err != nil {
				t.Error(err)
				return
			}
			listener, number := listen(t)
			await(t, ports, number)
			listener.Close()
			w.Stop()
		}()
	}
	group.Wait()
}
