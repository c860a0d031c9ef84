// flood INTERFACE MAC SOURCE DESTINATION PACKETS RATE TUPLES PORT
//
// Sends IPv4 UDP packets of 46 bytes from a network namespace, through a packet socket: so many packets in all, so many in a
// second (0: as fast as it goes), each of one of so many tuples. Destinations are 256 addresses from the given one on; the
// destination port is PORT, or one of those that follow it once all source ports are used.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, HEADERS = 14 + 20 + 8, FRAME = 60, FIRST_PORT = 1024, PORTS = 1 << 15 };

static unsigned char frames[BATCH][FRAME];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static unsigned short checksum(const unsigned char *bytes, int count)
{
	unsigned int sum = 0;

	for (int i = 0; i < count; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

static void fill(unsigned char *frame, in_addr_t source, unsigned int destination, int port, long tuple)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	struct udphdr udp = { 0 };

	ip.tot_len = htons(FRAME - 14);
	ip.saddr = source;
	ip.daddr = htonl(destination + (tuple >> 15 & 255));
	ip.check = checksum((unsigned char *)&ip, sizeof(ip));
	udp.source = htons(FIRST_PORT + tuple % PORTS);
	udp.dest = htons(port + (tuple >> 23));
	udp.len = htons(FRAME - 14 - 20);
	memcpy(frame + 14, &ip, sizeof(ip));
	memcpy(frame + 34, &udp, sizeof(udp));
}

static int open_socket(const char *interface, const char *mac)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct ifreq request = { 0 };
	int socket_fd = socket(AF_PACKET, SOCK_RAW, 0), size = 8 << 20;

	address.sll_ifindex = if_nametoindex(interface);
	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (bind(socket_fd, (void *)&address, sizeof(address)) ||
	    ioctl(socket_fd, SIOCGIFHWADDR, &request)) {
		perror(interface);
		exit(1);
	}
	setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (int i = 0; i < BATCH; i++) {
		unsigned char *f = frames[i];

		sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", f, f + 1, f + 2, f + 3, f + 4, f + 5);
		memcpy(f + 6, request.ifr_hwaddr.sa_data, 6);
		f[12] = ETH_P_IP >> 8;
	}
	return socket_fd;
}

int main(int count, char **words)
{
	if (count != 9) {
		fprintf(stderr, "flood INTERFACE MAC SOURCE DESTINATION PACKETS RATE TUPLES PORT\n");
		return 2;
	}
	int socket_fd = open_socket(words[1], words[2]);
	in_addr_t source = inet_addr(words[3]);
	unsigned int destination = ntohl(inet_addr(words[4]));
	long packets = atol(words[5]), rate = atol(words[6]), tuples = atol(words[7]), sent = 0;
	double start = now();

	while (sent < packets) {
		int batch = packets - sent < BATCH ? packets - sent : BATCH;

		for (int i = 0; i < batch; i++) {
			fill(frames[i], source, destination, atoi(words[8]), (sent + i) % tuples);
			while (send(socket_fd, frames[i], FRAME, 0) != FRAME)
				usleep(100);
		}
		sent += batch;
		double early = rate ? (double)sent / rate - (now() - start) : 0;
		if (early > 0)
			usleep(early * 1e6);
	}
	printf("sent %ld packets in %.1f s\n", sent, now() - start);
	return 0;
}
