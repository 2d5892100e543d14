//go:build unix

package supervisor

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/parsescale/parsescale/caddymodule/socketpair"
)

// process is a running child.
type process struct {
	pid    int
	mark   childMark
	stream net.Conn // our end of the control socket
	exited chan struct{}

	mu     sync.Mutex
	reaped bool
	status string // how it ended, once exited is closed
}

// passed are the variables of our environment that a worker gets, too. The rest stays here: the gateway's environment
// mostly holds keys that a worker gets in another way.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "ZONEINFO", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
	// How the stores of files are reached: their own tools look for it there.
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	"AWS_CA_BUNDLE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	"AWS_EC2_METADATA_DISABLED", "S3_BUCKET", "S3_REGION", "S3_BUCKET_PREFIX", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_DIRECT_ACCESS",
	"S3_FILE_ACL", "S3_BASE_URL", "S3_BASE_URL_DIRECT", "S3_SIGNATURE_VERSION", "S3_GLOBAL_CACHE_CONTROL", "S3_PRESIGNED_URL",
	"S3_PRESIGNED_URL_EXPIRES", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "STORAGE_EMULATOR_HOST",
	"GCP_PROJECT_ID", "GCP_KEYFILE_PATH", "GCS_BUCKET", "GCS_BUCKET_PREFIX", "GCS_DIRECT_ACCESS", "AZURE_STORAGE_ACCOUNT",
	"AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_CONTAINER", "AZURE_TENANT_ID", "AZURE_CLIENT_ID",
	"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"GODEBUG", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GOTRACEBACK", "GOCOVERDIR",
}

func environment(extra []string) []string {
	env := make([]string, 0, len(passed)+len(extra))
	for _, name := range passed {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, extra...)
}

// startProcess starts a worker with the control socket as its file descriptor 3, in a process group of its own (so
// that a Ctrl-C at the terminal reaches the gateway alone, which then drains its workers).
func startProcess(command, env []string, log *slog.Logger) (*process, error) {
	ours, theirs, err := socketpair.New("the control of a worker")
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p := &process{stream: ours, exited: make(chan struct{})}
	cmd, err := commandOf(command)
	if err != nil {
		ours.Close()
		return nil, err
	}
	cmd.Env = environment(env)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := attachOutput(cmd, log)
	if err != nil {
		ours.Close()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		output.close()
		return nil, fmt.Errorf("cannot start a worker: %w", err)
	}
	p.pid = cmd.Process.Pid
	started, _, _ := processStart(p.pid)
	p.mark = childMark{PID: p.pid, Started: started}
	output.forward(p.pid)
	go p.wait(cmd, output)
	return p, nil
}

func commandOf(command []string) (*exec.Cmd, error) {
	if len(command) > 0 {
		return exec.Command(command[0], command[1:]...), nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program to start a worker: %w", err)
	}
	cmd := exec.Command(self, "parse-worker")
	if path := selfPath(); path != "" {
		cmd.Path, cmd.Err = path, nil
	}
	return cmd, nil
}

// wait reaps the process.
func (p *process) wait(cmd *exec.Cmd, output *output) {
	awaitExit(p.pid)
	killGroup(p.pid, syscall.SIGKILL) // what the worker may have started; its id is still taken by its zombie
	p.mu.Lock()
	err := cmd.Wait()
	p.reaped = true
	p.status = "exit status 0"
	if err != nil {
		p.status = err.Error()
	}
	p.mu.Unlock()
	output.finish()
	close(p.exited)
}

// signal sends sig to the worker's process group, unless the worker is gone.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.exited:
	default:
		if p.mu.TryLock() { // else it is being reaped
			if !p.reaped {
				killGroup(p.pid, sig)
			}
			p.mu.Unlock()
		}
	}
}

// end makes sure that the process is gone: SIGTERM if there is a grace, then SIGKILL. A process that doesn't die by
// SIGKILL hangs in the kernel; there is no use in waiting for less than its end, since it may still hold the database.
func (p *process) end(grace time.Duration) {
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.exited:
			return
		case <-timer.C:
		}
	}
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// output takes what a worker prints to the log.
type output struct {
	log  *slog.Logger
	ends []pipe
	done sync.WaitGroup
}

type pipe struct {
	name        string
	read, write *os.File
}

func attachOutput(cmd *exec.Cmd, log *slog.Logger) (*output, error) {
	o := &output{log: log}
	for _, name := range []string{"stdout", "stderr"} {
		r, w, err := os.Pipe()
		if err != nil {
			o.close()
			return nil, fmt.Errorf("cannot make a pipe for a worker's output: %w", err)
		}
		o.ends = append(o.ends, pipe{name, r, w})
	}
	cmd.Stdout, cmd.Stderr = o.ends[0].write, o.ends[1].write
	return o, nil
}

// forward begins to read, after the worker was started.
func (o *output) forward(pid int) {
	for _, e := range o.ends {
		e.write.Close()
		log := o.log.With("pid", pid, "output", e.name)
		o.done.Go(func() {
			forwardLines(e.read, func(line []byte) { log.Info(string(line)) })
		})
	}
}

// finish waits until all is read. Something that outlived the worker with its output open isn't waited for.
func (o *output) finish() {
	all := make(chan struct{})
	go func() { o.done.Wait(); close(all) }()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-all:
	case <-timer.C:
	}
	for _, e := range o.ends {
		e.read.Close()
	}
	<-all
}

func (o *output) close() {
	for _, e := range o.ends {
		e.read.Close()
		e.write.Close()
	}
}
